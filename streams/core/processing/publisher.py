"""What consumers read, as JSON. The types are in `schemas`; tests hold what is written here to them.

Most of a transition's text is one of a few hundred pieces: joining them takes half the time of encoding a Struct. Everything
rarer is encoded from its type.
"""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from schemas import JourneyRecord, RefundRecord, Tally
from schemas.journey import Step
from streams.core.funnels.cells import (
    A_SHIFT,
    B_SHIFT,
    C_SHIFT,
    COHORT_OUTCOMES,
    MEASURE_COHORT,
    MEASURE_DWELL,
    MEASURE_HOURS,
    MEASURE_SHIFT,
    MEASURE_TRANSITIONS,
    dwell_bounds_ms,
)
from streams.core.funnels.dimensions import Dimensions
from streams.core.funnels.windows import ALL_TIME, WINDOWS, Cell
from streams.core.journeys.finals import FinalRefund, JourneySummary
from streams.core.journeys.machine import ADVANCED, CONVERTED, KINDS, State, Transition
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import TEXT, event_text
from streams.core.moments.verdict import INTENTS
from streams.core.processing.rulebook import Rulebook

ENCODE = msgspec.json.Encoder().encode
NAMES: tuple[Any, ...] = (*INTENTS[:5], None)  # index -1: none
TENANT_END = "\x1f"  # between tenant, profile and need in keys: ids and names have no control characters
MAX_WINDOWS = 10_000  # whose beginnings are kept: a week of minutes
MAX_SECONDS = 50_000  # formatted seconds kept: an hour of a busy partition is 3,600


def quoted(text: str | None) -> str:
    """As JSON; null for None."""
    return ENCODE(text).decode()


def profile_key(tenant: str, profile: str) -> str:
    """The one name of a profile inside this program, and the key of its records."""
    return f"{tenant}{TENANT_END}{profile}" if tenant else profile


def split_key(key: str) -> tuple[str | None, str]:
    """(tenant, profile) of a profile's key."""
    tenant, sep, profile = key.partition(TENANT_END)
    return (tenant, profile) if sep else (None, key)


def rfc3339(ms: int) -> str:
    """UTC with milliseconds. By the second from a cache: the events of a batch share their seconds."""
    second, rest = divmod(ms, 1000)
    text = _seconds.get(second)
    if text is None:
        if len(_seconds) > MAX_SECONDS:
            _seconds.clear()
        text = _seconds[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
    return text + _MILLIS[rest]


_seconds: dict[int, str] = {}
_MILLIS = [f"{n:03d}Z" for n in range(1000)]


def _move(kind: int, frm: int, to: int) -> str:
    skipped = INTENTS[frm + 1 : to] if kind in (ADVANCED, CONVERTED) and frm >= 0 else ()
    return ENCODE({"kind": KINDS[kind], "from": NAMES[frm], "to": NAMES[to], "skipped": skipped})[
        1:-1
    ].decode()


MOVES = [
    [[_move(kind, frm, to) for to in (0, 1, 2, 3, 4, -1)] for frm in (0, 1, 2, 3, 4, -1)]
    for kind in range(len(KINDS))
]
KIND_BYTES = [b"\0" + kind.encode() + b"\0" for kind in KINDS]
FURTHEST = [
    [f'"furthest_before":{quoted(NAMES[was])},"furthest":{quoted(NAMES[now])}' for now in (0, 1, 2, 3, 4, -1)]
    for was in (0, 1, 2, 3, 4, -1)
]


NOWHERE = '"moment":null,"stalled":false'
STANDING = [
    [f'"moment":"{moment}","stalled":{stalled}' for stalled in ("false", "true")] for moment in INTENTS[:5]
]
OUTCOME = [quoted(kind or None) for kind in KINDS]
SILENCE = '"event":null,"rule":null,"confidence":null,"rules":null'


_FRACTIONS = [str(n / 1000)[1:] for n in range(1000)]  # .0 .001 .002


def seconds(ms: int) -> str:
    """Seconds as JSON writes them, out of milliseconds: half the time of dividing and printing a float."""
    whole, rest = divmod(ms, 1000)
    return f"{whole}{_FRACTIONS[rest]}"


def event_json(ref: bytes) -> str:
    """An event's id as JSON. Only short text can hold what must be escaped."""
    if ref[0] == 0:  # a UUID: nearly all of them
        h = ref.hex()
        return f'"{h[2:10]}-{h[10:14]}-{h[14:18]}-{h[18:22]}-{h[22:]}"'
    return quoted(event_text(ref)) if ref[:1] == TEXT else f'"{event_text(ref)}"'


def person(key: str, need: str) -> str:
    """The fields that all records about a profile and need begin with. (Kept, they would be out of the processor's caches when they are needed.)"""
    tenant, profile = split_key(key)
    return f'"tenant":{"null" if tenant is None else quoted(tenant)},"profile":{quoted(profile)},"need":{quoted(need) if need else "null"}'


class Publisher:
    """Writes the records of one partition."""

    def __init__(self, partition: int, dimensions: Dimensions, rulebook: Rulebook) -> None:
        self.partition, self.dimensions, self.rulebook = partition, dimensions, rulebook
        self._dims: dict[int, str] = {}  # by code: as many as the vocabularies allow
        self._windows: dict[tuple[int, int], tuple[bytes, str]] = {}
        self._cells: dict[int, tuple[bytes, str]] = {}  # by what is counted: likewise
        self._rules: list[str] = []
        self.learn()

    def learn(self) -> None:
        """The rulebook has grown."""
        self._rules = [
            f'"rule":{quoted(rule.name)},"confidence":{rule.confidence},"rules":{quoted(version.version)}'
            for version in self.rulebook.versions
            for rule in version.rules
        ]

    def names(self, dims: int) -> str:
        """The dimensions by their code, as JSON."""
        text = self._dims.get(dims)
        if text is None:
            text = self._dims[dims] = ENCODE(self.dimensions.names(dims)).decode()
        return text

    def transition(self, p: Profile, op: Literal["assert", "retract"], rev: int, t: Transition) -> bytes:
        """One record of `<app>.transitions`."""
        kind, cause, dims, home, dwell_ms, rule, journey = (
            t.kind,
            t.cause,
            t.dims,
            t.home,
            t.dwell_ms,
            t.rule,
            event_json(t.journey),
        )
        key, need, at = p.key, p.needs[t.need], rfc3339(t.at_ms)
        name = blake2b(f"{key}\0{need}".encode() + KIND_BYTES[kind] + cause, digest_size=16).hexdigest()
        said = (
            SILENCE
            if rule < 0
            else f'"event":{journey if cause == t.journey else event_json(cause)},{self._rules[rule]}'
        )
        names = self._dims.get(dims) or self.names(dims)
        return (
            f'{{"id":"{name}","rev":{rev},"op":"{op}",{person(key, need)},"journey":{journey},{MOVES[kind][t.frm][t.to]},"at":"{at}",'
            f'"utc_offset_min":{t.offset * 15},"dwell_s":{"null" if dwell_ms < 0 else seconds(dwell_ms)},'
            f'"opened_at":"{at if t.opened_ms == t.at_ms else rfc3339(t.opened_ms)}",{said},'
            f'"dimensions":{names},"opened_dimensions":{names if home == dims else self.names(home)},{FURTHEST[t.was][t.furthest]}}}'
        ).encode()

    def current(self, p: Profile, s: State, rev: int) -> tuple[bytes, bytes | None]:
        """Key and value of `<app>.current` for one need; a tombstone when it has no journey (any more)."""
        need = p.needs[s.need]
        key = current_key(p.key, need)
        if not s.journey:
            return key, None
        where = NOWHERE if s.moment < 0 else STANDING[s.moment][s.stalled]
        return key, (
            f'{{{person(p.key, need)},{where},"journey":{event_json(s.journey)},"opened_at":"{rfc3339(s.opened_ms)}",'
            f'"since":"{rfc3339(s.entered_ms)}","furthest":"{NAMES[s.furthest]}",'
            f'"outcome":{OUTCOME[s.outcome] if s.moment < 0 else "null"},"rev":{rev}}}'
        ).encode()

    def final(self, p: Profile, final: JourneySummary | FinalRefund) -> bytes:
        """One record of `<app>.journeys`."""
        tenant, profile = split_key(p.key)
        if isinstance(final, FinalRefund):
            t = final.step
            return ENCODE(
                RefundRecord(
                    tenant,
                    profile,
                    p.needs[t.need] or None,
                    event_text(t.journey),
                    rfc3339(t.at_ms),
                    event_text(t.cause),
                )
            )
        devices = dict.fromkeys(self.dimensions.names(dims)["device"] for dims in final.dims)
        versions = dict.fromkeys(self.rulebook.version_of(rule) for rule in final.rules)
        return ENCODE(
            JourneyRecord(
                tenant=tenant,
                profile=profile,
                need=p.needs[final.need] or None,
                journey=event_text(final.journey),
                opened_at=rfc3339(final.opened_ms),
                closed_at=rfc3339(final.closed_ms),
                outcome="converted" if final.outcome == CONVERTED else "abandoned",
                furthest=NAMES[final.furthest],
                path=tuple(
                    Step(NAMES[moment], rfc3339(at), None if dwell < 0 else dwell / 1000)
                    for moment, at, dwell in final.path
                ),
                steps=final.stays,
                dwell_s={NAMES[moment]: ms / 1000 for moment, ms in enumerate(final.dwell_ms) if ms >= 0},
                stalls=final.stalls,
                devices=tuple(devices),
                opened_dimensions=self.dimensions.names(final.home),
                rules=tuple(versions),
            )
        )

    def tally(self, cell: Cell, n: int | None) -> tuple[bytes, bytes | None]:
        """Key and value of `<app>.tallies`; a tombstone when the counter is zero, or its window is no longer kept."""
        window, start, what = cell
        opened = self._windows.get((window, start))
        if opened is None:
            opened = self._windows[window, start] = self.opened(window, start)
        counted = self._cells.get(what)
        if counted is None:
            counted = self._cells[what] = str(what).encode(), self.what(what)
        return opened[0] + counted[
            0
        ], None if n is None else f'{opened[1]}{counted[1]},"count":{n}}}'.encode()

    def opened(self, window: int, start: int) -> tuple[bytes, str]:
        """How the key and the value of every counter of a window begin. The latest are kept."""
        if len(self._windows) >= MAX_WINDOWS:
            self._windows.clear()
        at = "null" if window == ALL_TIME else f'"{rfc3339(start * 60_000)}"'
        return b"%d:%d:%d:" % (
            self.partition,
            window,
            start,
        ), f'{{"partition":{self.partition},"window":"{WINDOWS[window]}","start":{at},'

    def what(self, what: int) -> str:
        """What a cell counts, as the fields of a Tally."""
        measure, a, b, c = (
            what >> MEASURE_SHIFT,
            what >> A_SHIFT & 15,
            what >> B_SHIFT & 7,
            what >> C_SHIFT & 511,
        )
        fields: dict[str, Any] = {}
        if measure == MEASURE_TRANSITIONS:
            fields = {"kind": KINDS[a], "from_": NAMES[b - 1], "to": NAMES[c - 1]}
        elif measure == MEASURE_COHORT:
            fields = {"furthest": NAMES[a - 1], "outcome": COHORT_OUTCOMES[c]}
        elif measure == MEASURE_DWELL:
            lower, upper = dwell_bounds_ms(c)
            fields = {"from_": NAMES[a - 1], "bucket_s": (lower / 1000, upper / 1000)}
        elif measure == MEASURE_HOURS:
            fields = {"to": NAMES[a - 1], "hour": c}
        tally = Tally(
            self.partition, "all", None, MEASURES[measure], self.dimensions.names(what & 0xFFFF), 0, **fields
        )
        whole: dict[str, Any] = msgspec.to_builtins(tally)
        for known in ("partition", "window", "start", "count"):
            whole.pop(known, None)
        return ENCODE(whole)[1:-1].decode()


MEASURES: tuple[Literal["transitions", "cohort", "dwell", "hour_of_week"], ...] = (
    "transitions",
    "cohort",
    "dwell",
    "hour_of_week",
)


def current_key(key: str, need: str) -> bytes:
    """Of `<app>.current`."""
    return (f"{key}{TENANT_END}{need}" if need else key).encode()
