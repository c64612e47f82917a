"""What a comparison of two logs came to, in sentences."""

import orjson

from streams.cli.screen import plural, time_text
from streams.queries.compared_log import Difference
from streams.queries.comparison import ComparedSide, Comparison


def lines(found: Comparison) -> list[str]:
    """What each log has read, what was compared, and the result."""
    sides = (found.one, found.other)
    sentences = [_read(side) for side in sides]
    if any(side.unread != 0 for side in sides):
        sentences.append(
            "one of them has not read everything yet: ask again later, or what it lacks may differ"
        )
    if found.one.late != found.other.late:
        sentences.append(
            "late events differ: lateness is judged by arrival, and what counted in one log only differs"
        )
    if found.settings:
        keys = "; ".join(
            f"{it.key} ({it.one} in {found.one.name}, {it.other} in {found.other.name})"
            for it in found.settings
        )
        sentences.append(f"fold settings differ, and what they decide may differ, too: {keys}")
    if found.until is None:
        return [
            *sentences,
            "unknown: there is no time of which both have all transitions, so there is nothing to compare",
        ]
    since = "from the beginning" if found.since is None else f"from {time_text(found.since)}"
    sentences.append(f"compared: {since} up to {time_text(found.until)}")
    for what, difference in (("transition", found.transition), ("counter", found.counter)):
        if difference is not None:
            sentences.append(_difference(what, difference, found))
    if found.same:
        windows = " and ".join({"day": "days", "all": "all time"}[window] for window in found.windows)
        sentences.append(f"same: {plural(found.one.transitions, 'net transition')}, counters of {windows}")
    return sentences


def _read(side: ComparedSide) -> str:
    unread = "an unknown number of records" if side.unread is None else plural(side.unread, "record")
    outside = f"; {plural(side.left_out, 'transition')} outside" if side.left_out else ""
    return (
        f"{side.name}: {plural(side.received, 'event')} read, {side.late:,} late, {side.rejected:,} "
        f"rejected; {unread} to read; {plural(side.transitions, 'net transition')} compared{outside}"
    )


def _difference(what: str, difference: Difference, found: Comparison) -> str:
    text = orjson.dumps(difference.what, option=orjson.OPT_SORT_KEYS).decode()
    return (
        f"different: a {what} is there {difference.one:,} times in {found.one.name} and {difference.other:,} "
        f"times in {found.other.name}: {text}"
        if what == "transition"
        else f"different: a counter is {difference.one:,} in {found.one.name} and {difference.other:,} in "
        f"{found.other.name}: {text}"
    )
