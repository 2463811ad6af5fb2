"""Requests: the `Tasks` object, the middleware that times it, and the one seam into FastAPI."""
