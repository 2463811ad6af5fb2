"""Other systems, each in an environment of its own, asked over a pipe: a line of JSON in, a line of JSON out.

A module of this package is the adapter of one system and runs in that system's environment; `catalogue` names them all.
"""

from benchmarks.peers.process import Peer, PeerError, environment, make, script, started

__all__ = ["Peer", "PeerError", "environment", "make", "script", "started"]
