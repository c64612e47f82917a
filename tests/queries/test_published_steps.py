"""A published transition is read back with all that counters need."""

from streams.core.funnels.cells import count_transition
from streams.core.journeys.signal import DIMS
from streams.queries.published_steps import StepReader
from tests.core.processing.feeding import HOUR, Feed
from tests.core.processing.test_connecting import ON, raw


def test_a_stitched_purchase_is_counted_as_it_was() -> None:
    """What the published steps of a guest who signs in and buys add up to is what was counted."""
    feed, delta = Feed(plan=ON), dict[int, int]()
    feed.take(raw(0, "search", device="phone"))
    feed.take(raw(HOUR, "login", "Signed In", user="ann", device="phone"))
    feed.take(raw(2 * HOUR, "order", "Bought", user="ann", device="phone"))
    reader = StepReader(ON.dimensions)
    for output, t in zip(feed.of("transitions"), feed.transitions(), strict=True):
        count_transition(reader.read(output.value or b""), 1 if t.op == "assert" else -1, delta)
    counted = {what & ~DIMS: n for (_, _, what), n in feed.processor.windows.cells() if n}
    minutes = {cell & ((1 << 35) - 1) & ~DIMS for cell, n in delta.items() if n}
    assert minutes == counted.keys()
    assert [True] == [t.stitched for t in feed.transitions() if t.kind == "converted"]
