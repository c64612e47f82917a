import time

from streams.clock import Clock


def test_the_clock_is_the_machines() -> None:
    """Seconds that never go back, and milliseconds since 1970."""
    clock = Clock()
    before_s = clock.monotonic_s()
    assert before_s <= time.monotonic() <= clock.monotonic_s()
    assert time.time() * 1000 - 60_000 < clock.wall_ms() < time.time() * 1000 + 60_000
