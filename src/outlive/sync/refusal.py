"""The answer to who does not want to wait."""

from anyio import WouldBlock

from outlive.errors import SyncError


class LockHeldError(SyncError, WouldBlock):
    """Somebody else has it, and the caller did not want to wait; also an `anyio.WouldBlock`."""
