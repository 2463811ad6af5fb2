"""Numbers, times and moments as people read them. Pure."""

from datetime import datetime

#: Stands where there is no number.
NONE = "\N{EN DASH}"

_STEPS = (("d", 86_400), ("h", 3600), ("min", 60))


def seconds(value: float | None) -> str:
    """A length of time: `3.2 ms`, `1.25 s`, `3 min 4 s`, `2 d 5 h`; a dash for none."""
    if value is None:
        return NONE
    if value < 1:
        return f"{value * 1000:.3g} ms" if value > 0 else "0 s"
    if value < 60:  # noqa: PLR2004 - a minute
        return f"{value:.3g} s"
    whole = round(value)
    for at, (unit, size) in enumerate(_STEPS):
        if whole >= size:
            smaller, unit_size = _STEPS[at + 1] if at + 1 < len(_STEPS) else ("s", 1)
            rest = whole % size // unit_size
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def ago(moment: datetime, now: datetime) -> str:
    """How far away a moment is: `12s ago`, `in 5min`."""
    distance = (moment - now).total_seconds()
    size = abs(distance)
    if size < 1:
        return "now"
    unit, length = next(((unit, length) for unit, length in _STEPS if size >= length), ("s", 1))
    count = f"{int(size // length)}{unit}"
    return f"in {count}" if distance > 0 else f"{count} ago"


def number(value: float) -> str:
    """With commas."""
    return f"{value:,}"


def percent(share: float | None) -> str:
    """A share of 1; a dash for none."""
    if share is None:
        return NONE
    text = f"{share * 100:.1f}".rstrip("0").rstrip(".")
    return f"{text} %"


def clock(moment: datetime) -> str:
    """A moment to the second, with its zone."""
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname() or 'UTC'}"
