"""A schedule as a backend keeps it, and what becomes of a slot that has come. Times are seconds since the epoch."""

import json
import math
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any, Literal

from outlive.core.trigger import Trigger

#: What happens to slots that came while nobody could fire them: dropped, the newest fired, all fired.
Misfire = Literal["skip", "latest", "all"]
#: What a slot does while an earlier run of the schedule has not ended: fire beside it, be dropped, fire after it, or
#: have it cancelled and fire after it.
Overlap = Literal["allow", "skip", "wait", "cancel_previous"]

_LEAST_GRACE, _MOST_GRACE = 1.0, 60.0
_LATE = "nobody could fire {which} in time (no instance was running, or the backend refused)"
_WAITED = "they came before an earlier run had ended (overlap={overlap!r})"
_NEWEST = "; the newest fired for all"


def declaration(rule: str, policy: str) -> str:
    """What code says of a schedule, as one text."""
    return f"{rule} {policy}"


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """What an instance declares: a schedule it knows, and when it fires first if nobody knew it before."""

    name: str
    #: Identity of the function.
    func: str
    #: The trigger as text; another text than before lets the schedule begin anew at `next_at`.
    rule: str
    next_at: float | None
    #: Fire at once unless it has fired within so many seconds; None: do not.
    startup_window: float | None = None
    #: What it does about late and overlapping slots, as text; backends keep it and do not look into it.
    policy: str = ""
    #: Whether it begins paused, where nobody knew it before.
    paused: bool = False

    @property
    def declared(self) -> str:
        """What the declaration says; while this is the same, what was changed at run time stays in force."""
        return declaration(self.rule, self.policy)


@dataclass(slots=True)  # not frozen: that makes each three times as dear, and they come together
class ScheduleState:
    """Where a schedule stands, the same for all instances. Nobody changes one."""

    name: str
    func: str
    rule: str
    #: The next slot, None where there is none.
    next_at: float | None
    paused: bool = False
    #: The slot that fired last, and its record.
    last_at: float | None = None
    last_id: str | None = None
    #: How many slots did not become a run, when that happened last, and why.
    missed: int = 0
    missed_at: float | None = None
    missed_reason: str | None = None
    #: The policy in force, as text.
    policy: str = ""
    #: What was declared last, see `ScheduleEntry.declared`; None where it was added at run time.
    declared: str | None = None

    @property
    def is_changed(self) -> bool:
        """Whether it was declared, and fires otherwise than that."""
        return self.declared is not None and self.declared != declaration(self.rule, self.policy)


@dataclass(frozen=True, slots=True)
class Gap:
    """Slots of a schedule that became no run: the first of them, how many, when that was decided, and why."""

    slot: float
    count: int
    at: float
    reason: str | None


#: How many gaps a backend remembers of each schedule.
GAPS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Policy:
    """What a schedule does about slots that come late or meet an earlier run.

    `grace`: up to how many seconds late a slot is on time; None: until the next slot, but 1 s at least and 60 at most.
    `jitter`: each slot fires up to so many seconds later than it says, by chance.
    """

    misfire: Misfire = "skip"
    grace: float | None = None
    overlap: Overlap = "allow"
    jitter: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether a slot fires when an earlier run has ended."""
        return self.overlap in ("wait", "cancel_previous")

    @property
    def options(self) -> dict[str, Any]:
        """What differs from a policy that nobody chose."""
        if self == _DEFAULT:  # as nearly all are, of which there may be a hundred thousand
            return {}
        names = (field.name for field in fields(self))
        return {name: value for name in names if (value := getattr(self, name)) != getattr(_DEFAULT, name)}


_DEFAULT = Policy()


def policy_text(policy: Policy, **more: Any) -> str:
    """A policy and what is kept beside it as text; nothing for one that nobody chose."""
    given = policy.options | {name: value for name, value in more.items() if value is not None}
    return json.dumps(given, sort_keys=True) if given else ""


def policy_from(text: str) -> tuple[Policy, dict[str, Any]]:
    """The policy of a text, and what was kept beside it."""
    given: dict[str, Any] = json.loads(text) if text else {}
    own = {field.name: given.pop(field.name) for field in fields(Policy) if field.name in given}
    return Policy(**own), given


def jitter_of(schedule: str, slot: float, most: float) -> float:
    """Seconds by which a slot fires later, from 0 to `most`: by chance, and the same in every instance."""
    drawn = blake2b(f"{slot!r} {schedule}".encode(errors="replace"), digest_size=6).digest()
    return most * int.from_bytes(drawn) / 2**48


@dataclass(slots=True)
class Firing:
    """What to do about a slot that has come. Nobody changes one."""

    #: The slot that becomes a run, None where none does.
    slot: float | None
    next_at: float | None
    #: How many slots become no run.
    missed: int = 0
    reason: str | None = None


def decide(trigger: Trigger, policy: Policy, slot: float, now: float, *, waited: bool = False) -> Firing:
    """Say what becomes of `slot` and of those that have come since; it may have `waited` for an earlier run."""
    following = trigger.next_after(slot, slot)
    if policy.misfire == "all":
        return Firing(slot, following)
    if waited:
        return _newest(trigger, slot, now, _WAITED.format(overlap=policy.overlap))
    grace = _grace(policy, slot, following) + policy.jitter
    if now - slot <= grace:
        return Firing(slot, following)
    if policy.misfire == "latest":
        return _newest(trigger, slot, now, _LATE.format(which="them"))
    on_time = trigger.next_after(now - grace, slot)
    missed = trigger.count(slot, math.inf if on_time is None else on_time)
    return Firing(None, on_time, missed, _LATE.format(which="it" if missed == 1 else "them"))


def _newest(trigger: Trigger, slot: float, now: float, reason: str) -> Firing:
    newest = trigger.newest(slot, now)
    missed = trigger.count(slot, newest)
    return Firing(newest, trigger.next_after(newest, slot), missed, f"{reason}{_NEWEST}" if missed else None)


def _grace(policy: Policy, slot: float, following: float | None) -> float:
    if policy.grace is not None:
        return policy.grace
    distance = _MOST_GRACE if following is None else following - slot
    return min(max(distance, _LEAST_GRACE), _MOST_GRACE)
