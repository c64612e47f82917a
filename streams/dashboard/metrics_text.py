"""What the dashboard does, for Prometheus.

It is a file of its own since the library takes a tenth of a second to load: a start has no use for it.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streams.dashboard.hub import Hub
from streams.dashboard.meters import DashboardMeters
from streams.dashboard.model import LiveModel
from streams.telemetry import dashboard_metrics as specs
from streams.telemetry.metric_spec import MetricSpec

_Values = dict[tuple[str, ...], float]
"""Values of a metric by its labels."""


def metrics_text(meters: DashboardMeters, model: LiveModel, hub: Hub, now_ms: int) -> bytes:
    """All figures of one process in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Collector([*_figures(meters, model, hub, now_ms)]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _figures(meters: DashboardMeters, model: LiveModel, hub: Hub, now_ms: int) -> Iterator[Metric]:
    yield _metric(specs.DASHBOARD_READY, {(): model.is_ready and model.is_reachable})
    ages: _Values = {(): (now_ms - model.as_of_ms) / 1000} if model.as_of_ms >= 0 else {}
    yield _metric(specs.DASHBOARD_AGE, ages)
    yield _metric(specs.DASHBOARD_RECORDS, {(): model.records})
    yield _metric(specs.DASHBOARD_LISTENERS, {(): hub.listeners})
    yield _metric(specs.DASHBOARD_DROPPED, {(): hub.dropped})
    yield _metric(specs.DASHBOARD_REQUESTS, {(str(status),): n for status, n in meters.requests.items()})


class _Collector:
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _metric(spec: MetricSpec, values: _Values) -> Metric:
    kind = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
    family = kind(spec.name, spec.about, labels=spec.labels)
    for labels, value in values.items():
        family.add_metric(labels, float(value))
    return family
