"""Which transitions carry headers with the place of the event that caused them, and what these say."""

import msgspec
import pytest

from streams.records import Fetched, Output, Record
from tests.core.processing.feeding import DAY, HOUR, SOURCE, Feed, event
from tests.core.processing.test_processor import history

NAMES = ("source-topic", "source-partition", "source-offset", "source-index")


def said(output: Output) -> tuple[str, str, str | None, dict[str, str]]:
    """Op, kind, event and headers of a transition."""
    step = msgspec.json.decode(output.value or b"")
    return step["op"], step["kind"], step["event"], {name: value.decode() for name, value in output.headers}


@pytest.mark.parametrize("seed", range(6))
def test_asserted_steps_of_events_have_them(seed: int) -> None:
    """When events are taken one by one, an asserted step names the record of its event; which item of it that
    is, only if it is the one that was taken. A retraction has none, nor has a step that silence causes.
    """
    feed, seen, kinds = Feed(), set(), set()
    offsets: dict[str | None, list[str]] = {}
    for offset, value in enumerate(history(seed)):
        taken = msgspec.json.decode(value).get("messageId") if value != b"{" else None
        offsets.setdefault(taken, []).append(str(offset))
        expected = dict(zip(NAMES, ("events", "0", str(offset), "0"), strict=True))
        for output in feed.take(value).outputs:
            if output.topic != "transitions":
                assert not {name for name, _ in output.headers} & set(NAMES)
                continue
            op, kind, caused_by, headers = said(output)
            is_taken = op == "assert" and caused_by is not None and caused_by == taken
            if op == "assert" and caused_by is not None and not is_taken:
                assert headers.pop("source-offset") in offsets[caused_by]
                assert {"source-topic": "events", "source-partition": "0"} == headers
            else:
                assert (expected if is_taken else {}) == headers
            seen.add((op, is_taken, caused_by is None))
            kinds.add(kind)
    assert {("assert", True, False), ("assert", False, False), ("retract", False, False)} <= seen
    assert ("assert", False, True) in seen
    assert {"opened", "converted", "refunded", "stalled"} <= kinds


def test_a_restart_and_a_timer_bring_none() -> None:
    """A fold that is made anew for a restart publishes nothing, and a timer has no event at hand."""
    feed = Feed()
    feed.take(event(0, "a"))
    feed.reopen()
    feed.finish(40 * DAY)
    assert [("assert", "opened", "a"), ("assert", "stalled", None), ("assert", "abandoned", None)] == [
        said(output)[:3] for output in feed.of("transitions")
    ]
    assert [4, 0, 0] == [len(output.headers) for output in feed.of("transitions")]


def test_a_silence_that_an_event_reveals_is_not_of_that_event() -> None:
    """The event before it is the last sign of life, and neither of them has brought the stall about."""
    feed = Feed()
    feed.take(event(0, "a"))
    feed.finish(9 * DAY)
    feed.take(event(8 * DAY, "b"))  # its own patience is over already
    steps = [said(output) for output in feed.of("transitions")]
    assert ("assert", "resumed", "b") in [step[:3] for step in steps]
    assert {"opened", "resumed"} == {kind for _, kind, _, headers in steps if headers}


def test_the_item_of_a_record() -> None:
    """`source-index` says which call of a batch it was, and the topic may have a colon in its name."""
    feed = Feed()
    calls = b",".join([event(0, "a"), event(HOUR, "b", "Bought"), event(2 * HOUR, "c", user="2")])
    feed.processor.tracker.read_from([SOURCE, "a:b:7"])
    feed.processor.take(
        Fetched([("a:b:7", [Record(5, -1, None, b'{"batch":[' + calls + b"]}")])], frozenset())
    )
    found = [said(output) for output in feed.commit().outputs if output.topic == "transitions"]
    assert [("a", "0"), ("b", "1"), ("c", "2")] == [(step[2], step[3]["source-index"]) for step in found]
    assert {("a:b", "7", "5")} == {tuple(step[3][name] for name in NAMES[:3]) for step in found}
