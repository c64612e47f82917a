"""Counts what the dashboard does, and shows it to Prometheus."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.dashboard.hub import Hub
from streams.dashboard.model import LiveModel
from streams.telemetry import dashboard_metrics as specs
from streams.telemetry.metric_spec import MetricSpec

_Values = dict[tuple[str, ...], float]
"""Values of a metric by its labels."""


class DashboardMeters:
    """The figures of one process."""

    def __init__(self) -> None:
        self.requests = Counter[int]()  # by status

    def counting(self, app: ASGIApp) -> ASGIApp:
        """ASGI middleware that counts requests by status."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def count(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.requests[message["status"]] += 1
                await send(message)

            await app(scope, receive, count)

        return counted

    def render(self, model: LiveModel, hub: Hub, now_ms: int) -> bytes:
        """All figures in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(_Collector([*self._figures(model, hub, now_ms)]))
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def _figures(self, model: LiveModel, hub: Hub, now_ms: int) -> Iterator[Metric]:
        yield _metric(specs.DASHBOARD_READY, {(): model.is_ready and model.is_reachable})
        ages: _Values = {(): (now_ms - model.as_of_ms) / 1000} if model.as_of_ms >= 0 else {}
        yield _metric(specs.DASHBOARD_AGE, ages)
        yield _metric(specs.DASHBOARD_RECORDS, {(): model.records})
        yield _metric(specs.DASHBOARD_LISTENERS, {(): hub.listeners})
        yield _metric(specs.DASHBOARD_DROPPED, {(): hub.dropped})
        yield _metric(specs.DASHBOARD_REQUESTS, {(str(status),): n for status, n in self.requests.items()})


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
