"""What became of redriven items, held to the dead letters and to the oracle.

Nothing is taken over but what is recorded because it depended on arrival: how items ended that were redriven
while events still came, and from when on the events of their people were held. In the end nothing comes any
more, so what is redriven then is judged in full.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec
from aiokafka.partitioner import murmur2

from schemas import Receipt
from streams import topology
from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.reading import ReadOutcome, RecordReader
from streams.core.ingest.times import LATEST_MS, parse_time
from streams.core.journeys.signal import event_ref, event_text, order_ref
from streams.core.moments import rules
from streams.core.moments.classifier import Classifier
from streams.core.moments.verdict import Verdict
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.dead_letters import is_canonical
from streams.log.kafka.log import KafkaLog
from streams.records import Record
from streams.runtime.parameters import door_of_settings, parameters_of
from streams.settings.tables import Settings
from tests import oracle
from tests.simulation.account import Takes, take
from tests.simulation.redrives import Frozen, Key, Limits, RedrivenPeople

RULES = rules.default_rules()
CLASSIFY = Classifier(RULES).classify
HELD_SIGNALS, PLACES = 256, 1_000  # of a person
TAKEN = ("applied", "duplicate")
Letter = tuple[str, int, int, int]  # topic, partition, offset and index of the item in an input


class RedriveRuns(NamedTuple):
    """What a run has redriven."""

    # By partition: how many batches it had committed when nothing came any more.
    batches: Sequence[int]
    last: Sequence[str]  # the ids of the commands that were left alone in the end
    later: Settings  # the settings under which these were taken


class OwnAccount(Takes, Protocol):
    """What it takes of a partition's account."""

    signals: dict[Key, list[oracle.Signal]]
    redriven: RedrivenPeople


async def letters_of(log: KafkaLog) -> dict[Letter, Record]:
    """All dead letters, by where their items were read first."""
    found = {}
    for topic in (topology.LATE, topology.REJECTED):
        async for _, record in log.scan(topic.name):
            if is_canonical(record):
                continue
            headers = {name: value.decode() for name, value in record.headers}
            place = (headers["topic"], *(int(headers[name]) for name in ("partition", "offset", "index")))
            found[place] = record
    return found  # type: ignore[return-value]  # four parts


async def receipts_of(log: KafkaLog, partition: int) -> list[Receipt]:
    """The receipts of a partition, in the order in which it took the items."""
    decode = msgspec.json.Decoder(Receipt).decode
    return [decode(r.value) async for _, r in log.scan(topology.REDRIVEN.name, partition) if r.value]


class RedriveJudge:
    """Judges the receipts of all partitions, one after the other, and adds what counts to their accounts."""

    def __init__(self, settings: Settings, runs: RedriveRuns, letters: Mapping[Letter, Record]) -> None:
        self.figures: Counter[str] = Counter()
        self._runs, self._dims_of = runs, parameters_of(settings.fold).dimensions.code
        self._partitions = len(runs.batches)
        self._reader = RecordReader(door_of_settings(runs.later), "clicks")
        self._items = {letter: self._read(record) for letter, record in letters.items()}
        # By part of a dead letter: how it ended, and by which command.
        self._ends: dict[tuple[Letter, int], list[tuple[str, str]]] = {}

    def judge(self, number: int, a: OwnAccount, c: Checkpoint, receipts: Sequence[Receipt]) -> Iterator[str]:
        """What is wrong with the receipts of a partition. What counts is added to its account."""
        counted = Counter(r.outcome for r in receipts if r.outcome != "forwarded")
        if counted != c.counts.redriven:
            yield f"{c.counts.redriven} items redriven are counted, and there are {dict(counted)} receipts"
        for r in receipts:
            letter, said = (r.topic, r.partition, r.offset, r.index), msgspec.to_builtins(r)
            self.figures[f"redriven, and {r.outcome}"] += 1
            if r.outcome == "forwarded":
                continue
            self._ends.setdefault((letter, r.part), []).append((r.outcome, r.command))
            if r.outcome not in (*TAKEN, "late"):
                continue
            event = self._items[letter][r.part]
            verdict = CLASSIFY(event) if isinstance(event, Event) else None
            if not isinstance(event, Event) or verdict is None:
                yield f"{letter} part {r.part} is {r.outcome}, and it is {event}"
                continue
            if owner_of(event, self._partitions) != number:
                yield f"{letter} part {r.part} ended in another partition than its owner's"
            key, s = key_of(event), signal_of(event, verdict, self._dims_of)
            mine = a.signals.setdefault(key, [])
            is_early = r.rev <= self._runs.batches[number]
            known = a.redriven.frozen.get(key)
            if is_early or (known is not None and known.until == LATEST_MS):
                held, known_from = a.redriven.part(key, mine, said)
                a.redriven.frozen[key] = Frozen([], 0, LATEST_MS)
            else:
                found = a.redriven.judge(key, mine, s, said, (c.watermark_ms, c.timers_fired_ms), ())
                held, known_from = found.held, found.known_from
            if r.outcome == "applied":
                mine[:] = held
                take(a, key, mine, s, known_from)
        yield from a.redriven.untrue

    def unfinished(self) -> Iterator[str]:
        """What does not count once, and not for a good reason, after the last commands."""
        for letter, items in self._items.items():
            for part, item in enumerate(items):
                ends = self._ends.get((letter, part), [])
                taken = sum(outcome in TAKEN for outcome, _ in ends)
                last = [outcome for outcome, command in ends if command in self._runs.last]
                if taken > 1:
                    yield f"{letter} part {part} counts {taken} times: {ends}"
                elif not taken and last not in ([outcome] for outcome in ends_of(item)):
                    yield f"{letter} part {part} ended as {last} in the end, and it is {item}"

    def _read(self, letter: Record) -> Sequence[ReadOutcome]:
        appended = parse_time(dict(letter.headers)["appended"].decode())
        assert appended is not None, letter
        outcome = self._reader.read(letter.value, (), appended[0], LATEST_MS)
        is_several = isinstance(outcome, Items) and outcome.items
        return [item.outcome for item in outcome.items] if is_several else [outcome]  # type: ignore[union-attr]


def ends_of(item: ReadOutcome) -> tuple[str, ...]:
    """How a redriven item may end that does not count."""
    if isinstance(item, Rejection):
        return ("rejected",)
    if isinstance(item, Event) and item.apart is not None:
        return (item.apart.value,)
    if not isinstance(item, Event) or CLASSIFY(item) is None:
        return ("no_signal",)
    return ("late",)


def limits_of(settings: Settings) -> Limits:
    """What profiles hold, and for how long."""
    moments = settings.patience
    patience = oracle.Patience(
        (moments.know, moments.go, moments.do, moments.buy), settings.abandon_after, settings.refund_window,
        settings.join_window, settings.purchase_grace,
    )  # fmt: skip
    return Limits(patience, settings.allowed_lateness, HELD_SIGNALS, PLACES)


def signal_of(event: Event, verdict: Verdict, dims_of: Callable[[Event], int]) -> oracle.Signal:
    """What an event of the shop says."""
    order = event.properties.get("order_id") if verdict.intent >= oracle.BUY else None
    return oracle.Signal(
        event.at_ms, event_text(event_ref(event.id)), verdict.intent, verdict.sure, dims_of(event),
        event.utc_offset_quarters, verdict.rule,
        ("*",) if order and verdict.intent == oracle.REFUND else ("",),
        order_ref(order).hex() if order else None, cue=verdict.cue,
    )  # fmt: skip


def key_of(event: Event) -> Key:
    """Whose it is."""
    return None, f"u:{event.user_id}" if event.user_id else f"d:{event.anonymous_id}"


def owner_of(event: Event, partitions: int) -> int:
    """Where Java clients put a record that is keyed by the person."""
    hashed: int = murmur2((event.user_id or event.anonymous_id or "").encode())
    return (hashed & 0x7FFFFFFF) % partitions
