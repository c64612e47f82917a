"""Redriven items are taken where everything that time has made due was done, wherever a batch is cut."""

from streams.core.ingest.door import door_of
from streams.core.ingest.times import LATEST_MS
from streams.core.processing.inbox import Redriven, encode_message
from streams.core.processing.processor import Processor
from streams.records import Fetched, Record
from tests.core.processing.feeding import DAY, PLAN, START, event, rules

INPUTS = ("events:0", "orders:0")
EVERYTHING = frozenset((*INPUTS, "inbox:0"))


def redriven(offset: int) -> Record:
    """A message about the dead letter of this offset."""
    message = Redriven(
        command="again",
        letter="late",
        letter_offset=offset,
        first_letter=0,
        source=INPUTS[0],
        offset=offset,
        index=0,
        time_ms=-1,
        sent_ms=LATEST_MS,
        headers=(),
        value=event(offset, f"old {offset}"),
    )
    return Record(offset, -1, None, encode_message(message), ())


def test_an_item_waits_for_what_is_due_since_the_last_look_at_the_sources() -> None:
    """Between two reads of one batch an input that held time back has ended: timers are due first."""
    processor = Processor(0, PLAN, b"", rules(), door_of(0))
    processor.restore(None, [])
    processor.tracker.read_from((*INPUTS, "inbox:0"))
    newest = Record(0, START + 9 * DAY, None, event(9 * DAY, "new"), ())
    processor.take(Fetched([(INPUTS[0], [newest])], EVERYTHING - {INPUTS[1]}))
    assert processor.advance()
    processor.batch()
    assert -1 == processor.population.watermark_ms, "the orders may have something older"
    processor.take(Fetched([("inbox:0", [redriven(0)])], EVERYTHING))
    assert START + 9 * DAY == processor.population.watermark_ms
    processor.take(Fetched([("inbox:0", [redriven(1)])], EVERYTHING))
    assert (1, 1) == (processor.waiting, len(processor.redriven.fates))
