"""All links of a device say whose an event is, as the rules say it link by link."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from streams.core.identity.links import Link, Spans, user_at
from streams.queries.known_links import BYTES_PER_DEVICE, BYTES_PER_LINK, EventLink, KnownLinks

HOUR = 3_600_000
SPANS = Spans(forward_ms=30 * HOUR, back_ms=12 * HOUR, shared_above=2)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200)), max_size=30))
def test_whoever_had_a_device(signed_in: list[tuple[str, int]]) -> None:
    """Whatever order they were read in, and although those that decide nothing are dropped."""
    links = KnownLinks(SPANS)
    for user, hour in [*signed_in, *reversed(signed_in)]:
        links.add(EventLink("d:x", f"u:{user}", hour * HOUR, f"e{hour}"))
    links.close()
    plain = sorted(Link(hour * HOUR, f"u:{user}", b"") for user, hour in set(signed_in))
    for hour in range(-20, 240):
        assert user_at(plain, hour * HOUR, SPANS) == links.user_at("d:x", hour * HOUR)


def test_links_take_about_what_is_said() -> None:
    """Per device and per link, as long as they are added and afterwards."""
    devices, each = 500, 20
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    links = KnownLinks(SPANS)
    for device in range(devices):
        for n in range(each):
            links.add(EventLink(f"d:{device:032}", f"u:{n % 2}", 31 * n * HOUR, ""))
    for _ in range(2):
        taken, _ = tracemalloc.get_traced_memory()
        said = links.size_bytes
        assert devices * (BYTES_PER_DEVICE + each * BYTES_PER_LINK) >= said
        assert 0.4 * said < taken - before < said
        links.close()
    tracemalloc.stop()
