"""A clock that stands still until a test moves it."""

from streams.clock import Clock


class FixedClock(Clock):
    """Both of its times are the same: `now_s` seconds."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def monotonic_s(self) -> float:
        return self.now_s

    def processor_s(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return round(self.now_s * 1000)
