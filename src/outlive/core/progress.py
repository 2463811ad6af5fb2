"""How far an attempt says it has come."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Progress:
    """What the body of an attempt said last about how far it has come."""

    #: How much is done, in the unit of the body's own choice.
    done: float
    #: How much there is to do, None where the body does not know.
    total: float | None
    message: str | None
    #: When it said so, in seconds since the epoch.
    at: float

    @property
    def fraction(self) -> float | None:
        """How much of the whole is done, from 0 to 1; None where the whole is not known."""
        if self.total is None:
            return None
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else 1.0

    def to_text(self) -> str:
        """As it is stored."""
        return json.dumps({"done": self.done, "total": self.total, "message": self.message, "at": self.at})

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """From its stored form."""
        return None if text is None else cls(**json.loads(text))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        at = datetime.fromtimestamp(self.at, UTC).isoformat()
        return {"done": self.done, "total": self.total, "fraction": self.fraction, "message": self.message, "at": at}
