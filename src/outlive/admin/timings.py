"""What a request may change about a schedule."""

from datetime import datetime
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from outlive.core.schedule import Misfire, Overlap
from outlive.definitions.schedule import TimingOptions

#: A century: no later slot can be shown as a date everywhere.
_LONGEST = 36_525 * 86_400

_Seconds = Annotated[float, Field(ge=0, le=_LONGEST, strict=True)] | None


class Timings(BaseModel):
    """When a schedule fires, and its policies; what is left out or null stays."""

    model_config = ConfigDict(extra="forbid")

    every: _Seconds = None
    cron: Annotated[str, Field(max_length=1000)] | None = None
    timezone: Annotated[str, Field(max_length=100)] | None = None
    start: datetime | None = None
    end: datetime | None = None
    misfire: Misfire | None = None
    grace: _Seconds = None
    overlap: Overlap | None = None
    jitter: _Seconds = None

    def options(self) -> TimingOptions:
        """What was given."""
        return cast("TimingOptions", self.model_dump(exclude_none=True))
