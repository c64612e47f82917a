"""Feeds a pipeline with Segment records and keeps what it commits, as a log would."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas import Transition
from streams.core.funnels.dimensions import Dimensions
from streams.core.ingest.door import door_of
from streams.core.journeys.state import Patience
from streams.core.moments.rules import Rules, load_rules
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.parameters import Parameters
from streams.core.processing.processor import Processor
from streams.records import Batch, Fetched, Headers, Output, Record, StateRecord

SOURCE = "events:0"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
HORIZON = 2 * DAY
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
PLAN = Parameters(
    Patience(),
    HORIZON,
    Dimensions(),
    needs=("properties.category",),
    tenant="properties.shop",
    orders=("properties.order_id",),
)

RULES = """
name = "{name}"
[[event]]
name = "looked"
moment = "{looked}"
confidence = 0.9
names = ["Looked"]
[[event]]
name = "bought"
moment = "truth"
confidence = 1.0
names = ["Bought"]
[[event]]
name = "returned"
moment = "refund"
confidence = 1.0
names = ["Sent Back"]
"""


def rules(name: str = "first", looked: str = "know") -> Rules:
    """A small set of rules in which `Looked` is what one likes."""
    return load_rules(RULES.format(name=name, looked=looked))


def event(at: int, id: str, name: str = "Looked", *, user: str = "1", **properties: Any) -> bytes:
    """A record; `at` in milliseconds after START."""
    stamp = datetime.fromtimestamp((START + at) / 1000, UTC).isoformat()
    return msgspec.json.encode(
        {
            "type": "track",
            "messageId": id,
            "userId": user,
            "event": name,
            "timestamp": stamp,
            "properties": properties,
        }
    )


class Feed:
    """A pipeline and the log it would have: outputs in order, state by key, the last checkpoint."""

    def __init__(self, of: Rules | None = None, plan: Parameters = PLAN) -> None:
        self.plan, self.rules = plan, of or rules()
        self.outputs: list[Output] = []
        self.state: dict[bytes, bytes] = {}
        self.stored: bytes | None = None
        self.offset = 0
        self.processor = self.open()

    def open(self) -> Processor:
        processor = Processor(
            0, self.plan, b"fold", self.rules, door_of(10 * MINUTE, orders=self.plan.orders)
        )
        processor.restore(
            None if self.stored is None else decode_checkpoint(self.stored),
            [StateRecord(key, value) for key, value in self.state.items()],
        )
        processor.tracker.read_from([SOURCE])
        return processor

    def reopen(self, of: Rules | None = None) -> None:
        """Another worker takes over, perhaps with other rules."""
        self.rules = of or self.rules
        self.processor = self.open()

    def take(self, *values: bytes, headers: Headers = ()) -> Batch:
        """One batch of records, with all that time does after it. `headers`: of each of them."""
        records = [Record(self.offset + n, -1, b"k", value, headers) for n, value in enumerate(values)]
        self.offset += len(values)
        self.processor.take(Fetched.of(SOURCE, records))
        done = self.processor.advance()
        first = self.commit()
        while not done:
            done = self.processor.advance()
            self.commit()
        return first

    def finish(self, at: int) -> None:
        """Time comes to `at` after START, as at the end of a finite input."""
        done = False
        while not done:
            done = self.processor.advance(watermark_ms=START + at)
            self.commit()

    def commit(self) -> Batch:
        batch = self.processor.batch()
        self.outputs += batch.outputs
        for record in batch.state:
            if record.value is None:
                self.state.pop(record.key, None)
            else:
                self.state[record.key] = record.value
        self.stored = batch.checkpoint
        return batch

    def of(self, topic: str) -> list[Output]:
        return [output for output in self.outputs if output.topic == topic]

    def latest(self, topic: str) -> dict[bytes, bytes]:
        """What a compacted topic holds."""
        held: dict[bytes, bytes] = {}
        for output in self.of(topic):
            assert output.key is not None
            if output.value is None:
                held.pop(output.key, None)
            else:
                held[output.key] = output.value
        return held

    def transitions(self) -> list[Transition]:
        return [
            msgspec.json.decode(output.value or b"", type=Transition) for output in self.of("transitions")
        ]

    def standing(self) -> dict[str, Transition]:
        """Those asserted and not retracted, by id, without the place where they were said, and why."""
        held: dict[str, Transition] = {}
        for found in self.transitions():
            t = msgspec.structs.replace(found, moved_from=msgspec.UNSET)
            if t.op == "assert":
                assert t.id not in held
                held[t.id] = msgspec.structs.replace(t, rev=0)
            else:
                assert held.pop(t.id) == msgspec.structs.replace(t, rev=0, op="assert")
        return held
