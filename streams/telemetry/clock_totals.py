"""The histogram of clock errors over the life of a process. The core has sorted each batch into buckets."""

from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily

from streams.core.funnels.dimensions import OTHER
from streams.core.processing.clock_errors import CLOCK_ERROR_BOUNDS_S, MAX_CLOCKS, Clocks
from streams.telemetry.metrics import CLOCK_ERROR


class ClockTotals:
    """Adds up the clock errors of all steps."""

    def __init__(self) -> None:
        self._totals: dict[Clocks, list[int]] = {}

    def add(self, clocks: Clocks, counts: list[int]) -> None:
        """Adds those of one step."""
        if clocks not in self._totals and len(self._totals) >= MAX_CLOCKS:
            clocks = clocks._replace(library=OTHER)
        total = self._totals.get(clocks, [0] * len(counts))
        self._totals[clocks] = [a + b for a, b in zip(total, counts, strict=True)]

    def metric(self) -> HistogramMetricFamily:
        """The histogram as Prometheus reads it: each bucket holds those before it too.

        It has no sum, since one of numbers below 0 is no counter.
        """
        family = HistogramMetricFamily(CLOCK_ERROR.name, CLOCK_ERROR.about, labels=CLOCK_ERROR.labels)
        bounds = [*(f"{float(bound)}" for bound in CLOCK_ERROR_BOUNDS_S), "+Inf"]
        for clocks, total in sorted(self._totals.items()):
            buckets = list(zip(bounds, accumulate(total), strict=True))
            family.add_metric(clocks, buckets, None)
        return family
