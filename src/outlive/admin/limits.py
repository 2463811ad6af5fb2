"""What a request may change about a queue."""

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from outlive.runtime.queue_control import QueueChanges

_Limit = Annotated[int, Field(ge=1, le=999_999, strict=True)] | None


class Limits(BaseModel):
    """What a queue allows; null is no limit, what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    concurrency: _Limit = None
    global_concurrency: _Limit = None
    max_size: _Limit = None

    def changes(self) -> QueueChanges:
        """What was given."""
        return cast("QueueChanges", self.model_dump(exclude_unset=True))
