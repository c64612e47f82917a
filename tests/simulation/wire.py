"""The oracle's words as a consumer reads them: transitions, counters, where people stand, final records.

Written from schemas/, not from the code.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streams.core.moments.verdict import CUE_NAMES, RuleInfo
from tests import oracle
from tests.simulation.account import CURRENCIES
from tests.simulation.linked import PARTS, device_of
from tests.simulation.redrives import AGAIN, Key

MOMENTS = ("know", "go", "do", "buy", "truth")
SILENT = ("stalled", "abandoned")
REFUNDS = ("partially_refunded", "refunded")
CONTENT = (
    "tenant", "profile", "need", "journey", "kind", "from", "to", "skipped", "at", "utc_offset_min",
    "dwell_s", "opened_at", "event", "rule",
    "confidence", "rules", "dimensions", "opened_dimensions", "furthest_before", "furthest",
    "first_entry", "value_minor", "currency", "device", "stitched",
)  # fmt: skip
LENGTHS = {"minute": oracle.MINUTE, "hour": oracle.HOUR, "day": oracle.DAY, "all": 10**18}
Rules = Sequence[tuple[RuleInfo, str]]
Names = Callable[[int], dict[str, str]]
Wire = dict[str, Any]


def time(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def moment(n: int | None) -> str | None:
    return None if n is None else MOMENTS[n]


def sent(event: str) -> str:
    """An event's id as it was sent: without what tells it from another event of that name."""
    return event.split(PARTS)[-1].partition(AGAIN)[0]


def frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((k, frozen(v)) for k, v in value.items()))
    return tuple(frozen(v) for v in value) if isinstance(value, list | tuple) else value


def content(record: Wire) -> Any:
    """A record as something that can be counted; a transition less its id, rev and op."""
    if "record" in record:
        return frozen(record)
    return tuple([frozen(record.get(name)) for name in CONTENT]) if "kind" in record else frozen(record)


def wire(key: Key, s: oracle.Step, rules: Rules, names: Names) -> Wire:
    """A step as a transition record."""
    rule, version = rules[s.rule] if s.rule is not None else (None, None)
    return {
        "tenant": key[0], "profile": key[1], "need": s.need or None, "journey": sent(s.journey),
        "kind": s.kind, "from": moment(s.from_),
        "to": moment(s.to), "skipped": [MOMENTS[m] for m in s.skipped], "at": time(s.at),
        "utc_offset_min": 15 * s.offset,
        "dwell_s": None if s.dwell_ms is None else s.dwell_ms / 1000, "opened_at": time(s.opened_at),
        "event": None if s.kind in SILENT else sent(s.event), "rule": rule and rule.name,
        "confidence": rule and rule.confidence, "rules": version,
        "dimensions": names(s.dims), "opened_dimensions": names(s.opened_dims),
        "furthest_before": moment(s.furthest_before),
        "furthest": moment(s.furthest), "first_entry": s.first_entry,
        **({} if s.value is None else value_of(s)),
        **({"stitched": True} if s.stitched else {}),
        "device": None if s.kind in SILENT else device_of(s.event),
    }  # fmt: skip


def value_of(s: oracle.Step) -> Wire:
    """What a step carries of money."""
    known = s.value is not None
    return {"value_minor": s.value, "currency": [*CURRENCIES][s.currency] if known else None}


def bucket_s(ms: int) -> tuple[float, float]:
    """Eight buckets to a doubling, whole milliseconds below 16."""
    width = 1
    while ms // width >= 16:
        width *= 2
    return ms // width * width / 1000, (ms // width + 1) * width / 1000


def cells(windows: Sequence[str], at: int, dims: dict[str, str], *what: Any) -> Iterator[Any]:
    """A count in each of these windows: (window, start ms, dimensions, measure, ...)."""
    for window in windows:
        yield window, at - at % LENGTHS[window] if window != "all" else None, frozen(dims), *what


def step_cells(s: oracle.Step | oracle.Unmatched, names: Names) -> Iterator[Any]:
    """What one transition, or one signal that found no purchase, counts for."""
    dims = names(s.dims)
    every = ("minute", "hour", "day", "all")
    if isinstance(s, oracle.Unmatched):
        kind = "update_unmatched" if s.update else "refund_unmatched"
        yield from cells(every, s.at, dims, "transitions", kind, None, None)
        return
    yield from cells(every, s.at, dims, "transitions", s.kind, moment(s.from_), moment(s.to))
    if s.stitched:
        yield from cells(every, s.at, dims, "stitched", moment(s.from_))
    if s.kind == "converted" and s.from_ is not None:
        took, opened_dims = bucket_s(s.at - s.opened_at), names(s.opened_dims)
        yield from cells(every[1:], s.opened_at, opened_dims, "time_to_convert", took)
    if s.dwell_ms is not None:
        yield from cells(every[1:], s.at, dims, "dwell", moment(s.from_), bucket_s(s.dwell_ms))
    if s.kind in ("opened", "advanced", "returned", "converted"):
        local = datetime.fromtimestamp((s.at + s.offset * oracle.QUARTER) / 1000 // 1, UTC)
        yield from cells(
            every[2:], s.at, dims, "hour_of_week", moment(s.to), local.weekday() * 24 + local.hour
        )


def cue_cells(c: oracle.Cue, names: Names) -> Iterator[Any]:
    """What one cue counts for."""
    every = ("minute", "hour", "day", "all")
    yield from cells(every, c.at, names(c.dims), "cues", CUE_NAMES[c.cue - 1], moment(c.moment))


def cue_record(key: Key, c: oracle.Cue, names: Names) -> Wire:
    """A matched cue as a record, less its id, rev, op and what it has moved from."""
    assert c.journey is not None
    assert c.opened_at is not None
    return {
        "tenant": key[0], "profile": key[1], "need": c.need or None, "journey": sent(c.journey),
        "moment": moment(c.moment), "cue": CUE_NAMES[c.cue - 1], "at": time(c.at),
        "opened_at": time(c.opened_at), "event": sent(c.event), "dimensions": names(c.dims),
        **({} if (device := device_of(c.event)) is None else {"device": device}),
    }  # fmt: skip


def revenue_cells(
    s: oracle.Step, names: Names, codes: Sequence[str] = tuple(CURRENCIES)
) -> Iterator[tuple[Any, int]]:
    """Cells of amounts, each with what the step adds to it. `codes`: of currencies, by their number."""
    if s.value is not None:
        amount = s.value if s.kind == "converted" else -s.value
        what = "revenue", s.kind, moment(s.from_), codes[s.currency]
        for cell in cells(("minute", "hour", "day", "all"), s.at, names(s.dims), *what):
            yield cell, amount


def cohort_cells(j: oracle.Journey, names: Names) -> Iterator[Any]:
    """What one journey counts for where it was opened."""
    for outcome in (j.outcome, "stalled" if j.stalled else "", "refunded" if j.refunded else ""):
        if outcome:
            yield from cells(
                ("minute", "hour", "day", "all"),
                j.opened_at,
                names(j.opened_dims),
                "cohort",
                moment(j.furthest),
                outcome,
            )
    for entered in j.been_in:
        yield from cells(
            ("minute", "hour", "day", "all"),
            j.opened_at,
            names(j.opened_dims),
            "been_in",
            moment(entered),
        )


def cell_of(t: Wire) -> tuple[Any, int]:
    """A published counter as such a cell, and its count."""
    start = t["start"]
    at = None if start is None else int(datetime.fromisoformat(start).timestamp() * 1000)
    measure, get = t["measure"], t.get
    what: tuple[Any, ...] = {
        "transitions": (get("kind"), get("from"), get("to")), "cohort": (get("furthest"), get("outcome")),
        "dwell": (get("from"), tuple(get("bucket_s", ()))), "hour_of_week": (get("to"), get("hour")),
        "been_in": (get("moment"),), "cues": (get("cue"), get("moment")),
        "revenue": (get("kind"), get("from"), get("currency")), "stitched": (get("from"),),
        "time_to_convert": (tuple(get("bucket_s", ())),),
    }[measure]  # fmt: skip
    return (t["window"], at, frozen(t["dimensions"]), measure, *what), t["count"]


def figures(
    journeys: Mapping[Key, Sequence[oracle.Journey]],
    steps: Mapping[Key, Sequence[oracle.Step]],
    cues: Mapping[Key, Sequence[oracle.Cue]],
) -> dict[str, Any]:
    """The business figures of these people, by a count of all their journeys."""
    every = [(key, j) for key, mine in journeys.items() for j in mine]
    under_way: list[tuple[int | None, bool]] = []
    for key, j in every:
        if j.outcome == "open":
            own = [s for s in steps[key] if (s.need, s.journey) == (j.need, j.journey)]
            moment = [s.to for s in own if s.kind in ("opened", "advanced", "returned")][-1]
            under_way.append((moment, j.stalled))
    bought = [s for told in steps.values() for s in told if s.kind == "converted"]
    seen = Counter((c.cue, c.journey is not None) for found in cues.values() for c in found)
    return {
        "open": tuple(sum(at == m for at, _ in under_way) for m in range(4)),
        "stalled": tuple(sum(at == m and silent for at, silent in under_way) for m in range(4)),
        "opened": len(every),
        "converted": sum(j.outcome == "converted" for _, j in every),
        "abandoned": sum(j.outcome == "abandoned" for _, j in every),
        "refunded": sum(j.refunded for _, j in every),
        "cues": tuple(seen[n, True] for n in range(1, len(CUE_NAMES) + 1)),
        "unmatched_cues": tuple(seen[n, False] for n in range(1, len(CUE_NAMES) + 1)),
        "stitched": sum(s.stitched for s in bought),
        "from_nowhere": sum(s.from_ is None for s in bought),
    }


def current(j: oracle.Journey, told: Sequence[oracle.Step], names: Names) -> Wire:
    """Where a need stands whose last journey is this."""
    moved = [s for s in told if s.kind in ("opened", "advanced", "returned")][-1]
    is_open = j.outcome == "open"
    return {
        "need": j.need or None, "moment": moment(moved.to) if is_open else None, "stalled": j.stalled,
        "journey": sent(j.journey), "opened_at": time(j.opened_at),
        "opened_dimensions": names(j.opened_dims),
        "since": time(moved.at if j.closed_at is None else j.closed_at),
        "furthest": moment(j.furthest),
        "outcome": None if is_open else "refunded" if j.refunded else j.outcome,
    }  # fmt: skip


def final(
    key: Key,
    j: oracle.Journey,
    told: Sequence[oracle.Step],
    rules: Rules,
    names: Names,
    cues: Sequence[oracle.Cue],
) -> Wire:
    """The final record of a closed journey. A refund is no part of it: that is a record of its own.

    `cues`: all of the person's.
    """
    own = [s for s in told if s.kind not in REFUNDS]
    bought = next((s for s in own if s.kind == "converted"), None)
    path: list[Wire] = []
    dwell_ms: dict[str | None, int] = {}
    for s in own:
        if s.dwell_ms is not None:
            path[-1]["dwell_s"] = s.dwell_ms / 1000
            dwell_ms[moment(s.from_)] = dwell_ms.get(moment(s.from_), 0) + s.dwell_ms
        if s.kind in ("opened", "advanced", "returned") or (s.kind == "converted" and s.from_ is not None):
            path.append({"moment": moment(s.to), "at": time(s.at), "dwell_s": None})
    closed_at = j.closed_at
    assert closed_at is not None
    spoken = [s for s in own if s.rule is not None]
    used = dict.fromkeys(rules[s.rule][1] for s in spoken if s.rule is not None)
    return {
        "record": "journey", "tenant": key[0], "profile": key[1], "need": j.need or None,
        "journey": sent(j.journey), "opened_at": time(j.opened_at),
        "closed_at": time(closed_at), "outcome": j.outcome, "furthest": moment(j.furthest), "path": path[:64],
        "steps": len(path),
        "dwell_s": {m: ms / 1000 for m, ms in dwell_ms.items()},
        "stalls": sum(s.kind == "stalled" for s in own),
        "cues": [
            {"cue": CUE_NAMES[c.cue - 1], "moment": moment(c.moment), "at": time(c.at)}
            for c in cues
            if (c.need, c.journey) == (j.need, j.journey)
        ],
        "devices": list(dict.fromkeys(names(s.dims)["device"] for s in spoken)),
        "opened_dimensions": names(j.opened_dims),
        "rules": list(used),
        **({"value_minor": None, "currency": None} if bought is None else value_of(bought)),
        "items": 0 if bought is None else bought.pieces,
    }  # fmt: skip


def refund_record(key: Key, s: oracle.Step) -> Wire:
    """The final record of a refund."""
    return {
        "record": "refund", "tenant": key[0], "profile": key[1], "need": s.need or None,
        "journey": sent(s.journey), "kind": s.kind, "refunded_at": time(s.at),
        "event": sent(s.event), **value_of(s),
    }  # fmt: skip
