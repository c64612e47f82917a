"""What the stored input of a partition says, read record by record and
independently of the code that folds it.

Taken over from the product are readers without memory (segment, classifier, dimensions) and the two things
that are recorded because they cannot be known from the input: which version of the rules read a record, and
which records came before what an over-busy profile still held. Which needs are left out of a record is
recorded, too. It is judged here by the oracle, and taken over so that one difference does not make others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.core.ingest.event import Event, Items
from streams.core.ingest.reading import RecordReader
from streams.core.journeys.signal import order_ref
from streams.core.moments.classifier import Classifier
from streams.records import Record
from streams.runtime.parameters import door_of_settings, parameters_of
from tests import oracle
from tests.simulation.world import RULES, World

Key = tuple[str | None, str]  # tenant, profile
# after the id of an event that came again when it was no longer known: another event with the same name
AGAIN = "#"
CLASSIFIERS = {rules.version: Classifier(rules) for rules in RULES}


class Arrival(NamedTuple):
    """What is recorded since it depended on arrival: offsets that were called over_cap, and the needs that
    were left out of others.
    """

    over_cap: set[int]
    left_out: Mapping[int, tuple[str, ...]]


@dataclass
class Account:
    """How each record ended, and everybody's events."""

    signals: dict[Key, list[oracle.Signal]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    rejected: list[int] = field(default_factory=list)  # offsets
    late: list[int] = field(default_factory=list)
    mark: int = -1
    # How often an event id was taken for a new one.
    again: Counter[tuple[Key, str]] = field(default_factory=Counter)
    # Offsets that were called over_cap although their profile had neither so many signals nor so many needs.
    unjust: list[int] = field(default_factory=list)
    # Offset -> the needs that were left out, and those for which there was no place, where these differ.
    misplaced: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)


def account(
    records: Sequence[Record],
    read_with: Sequence[str],
    bases: Mapping[str, int],
    arrival: Arrival,
    world: World,
) -> Account:
    """Judges records 0 .. n in order.

    `bases`: code of the first rule of each version; `arrival`: what depended on arrival, as it is recorded.
    """
    a = Account()
    settings, allowed_lateness = world.settings, world.allowed_lateness
    dims_of, reader = (
        parameters_of(settings.fold).dimensions.code,
        RecordReader(door_of_settings(settings), "clicks"),
    )
    for record, version in zip(records, read_with, strict=True):
        event = reader.read(record.value, record.headers, record.time_ms, record.time_ms + settings.skew)
        if isinstance(event, Items):  # the script writes no record with several events
            assert not event.items
            a.counts["no_signal"] += 1
            continue
        if not isinstance(event, Event):
            a.rejected.append(record.offset)
            a.counts["rejected"] += 1
            continue
        a.mark = max(a.mark, event.at_ms)
        verdict = CLASSIFIERS[version].classify(event)
        if verdict is None:
            a.counts["no_signal"] += 1
            continue
        key = key_of(event, world)
        mine = a.signals.setdefault(key, [])
        order = event.properties.get("order_id") if verdict.intent >= oracle.TRUTH else None
        needs = ("*",) if order and verdict.intent == oracle.REFUND else needs_of(event, world)
        oldest = a.mark - allowed_lateness
        no_place = _no_place(mine, needs, oldest, world)
        if event.at_ms < oldest or record.offset in arrival.over_cap:
            a.counts["late"] += 1
            a.late.append(record.offset)
            busy = sum(len(s.needs) for s in mine) >= world.cap  # a signal about two needs takes two places
            if event.at_ms >= oldest and not busy and len(no_place) < len(needs):
                a.unjust.append(record.offset)
            continue
        left_out = arrival.left_out.get(record.offset, ())
        needs = tuple(name for name in needs if name not in left_out)
        s = oracle.Signal(
            event.at_ms, event.id, verdict.intent, verdict.sure, dims_of(event), event.utc_offset_quarters,
            bases[version] + verdict.rule, needs,
            order_ref(order).hex() if order else None,
        )  # fmt: skip
        applied = take(a, key, mine, s, a.mark - 2 * allowed_lateness)
        a.counts["applied" if applied else "duplicate"] += 1
        a.counts["narrowed"] += bool(left_out)
        if left_out != (no_place if applied else ()):
            a.misplaced[record.offset] = left_out, no_place
        if left_out:
            a.late.append(record.offset)  # it is in that topic, too
    return a


def _no_place(
    mine: Sequence[oracle.Signal], needs: tuple[str, ...], oldest: int, world: World
) -> tuple[str, ...]:
    """The needs of an event for which its profile has no place."""
    had = {name for s in mine for name in s.needs}
    if needs in (("",), ("*",)) or len(had | {"", *needs}) <= world.needs:
        return ()
    return oracle.left_out(mine, needs, oldest, patience_of(world))


def patience_of(world: World) -> oracle.Patience:
    s = world.settings
    moments = s.patience.know, s.patience.go, s.patience.do, s.patience.buy
    return oracle.Patience(moments, s.abandon_after, s.refund_window, s.join_window)


def take(a: Account, key: Key, mine: list[oracle.Signal], s: oracle.Signal, known_from: int) -> bool:
    """An event id is one event while it is known, and of its copies the smallest stays."""
    for n, kept in enumerate(mine):
        if kept.event.partition(AGAIN)[0] == s.event and kept.at >= known_from:
            s = s._replace(event=kept.event)
            if oracle.history([kept, s])[0] == kept:
                return False
            mine[n] = s
            return True
    times = a.again[key, s.event]
    a.again[key, s.event] += 1
    mine.append(s._replace(event=f"{s.event}{AGAIN}{times}") if times else s)
    return True


def key_of(event: Event, world: World) -> Key:
    tenant = event.properties.get("shop") if world.settings.tenant else None
    return tenant or None, f"u:{event.user_id}" if event.user_id else f"d:{event.anonymous_id}"


def needs_of(event: Event, world: World) -> tuple[str, ...]:
    names = (
        {product["category"] for product in event.properties.get("products", ())}
        if world.settings.need
        else set()
    )
    return tuple(sorted(names)) or ("",)
