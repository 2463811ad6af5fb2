"""Parameters that are filled by dependencies.

`parameters` reads them from a function, `graph` builds what fast-depends solves, out of `callables`, and `injected` is
what an executor calls. Only `parameters` is imported where nothing is to be injected.
"""
