"""What the stored input of a partition says, read record by record and
independently of the code that folds it.

Taken over from the product are readers without memory (segment, classifier, dimensions) and the two things
that are recorded because they cannot be known from the input: which version of the rules read a record, and
which records came before what an over-busy profile still held.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streams.core.ingest.event import Event
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
    needs: dict[Key, set[str]] = field(default_factory=dict)  # that a profile has had
    # Offsets that were called over_cap although their profile has neither so many signals nor so many needs.
    unjust: list[int] = field(default_factory=list)


def account(
    records: Sequence[Record],
    read_with: Sequence[str],
    bases: Mapping[str, int],
    over_cap: set[int],
    world: World,
) -> Account:
    """Judges records 0 .. n in order.

    `bases`: code of the first rule of each version; `over_cap`: the recorded offsets.
    """
    a = Account()
    settings, allowed_lateness = world.settings, world.allowed_lateness
    dims_of, reader = (
        parameters_of(settings.fold).dimensions.code,
        RecordReader(door_of_settings(settings), "clicks"),
    )
    for record, version in zip(records, read_with, strict=True):
        event = reader.read(record.value, record.headers, record.time_ms, record.time_ms + settings.skew)
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
        had = a.needs.setdefault(key, {""})
        if event.at_ms < a.mark - allowed_lateness or record.offset in over_cap:
            a.counts["late"] += 1
            a.late.append(record.offset)
            busy = sum(len(s.needs) for s in mine) >= world.cap  # a signal about two needs takes two places
            full = len(had.union(needs) - {"*"}) > world.needs
            if event.at_ms >= a.mark - allowed_lateness and not busy and not full:
                a.unjust.append(record.offset)
            continue
        s = oracle.Signal(
            event.at_ms, event.id, verdict.intent, verdict.sure, dims_of(event), event.utc_offset_quarters,
            bases[version] + verdict.rule, needs,
            order_ref(order).hex() if order else None,
        )  # fmt: skip
        applied = take(a, key, mine, s, a.mark - 2 * allowed_lateness)
        a.counts["applied" if applied else "duplicate"] += 1
        if applied:
            had.update(set(needs) - {"*"})
    return a


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
