"""The figures of identity by partition: devices, and purchases whose journeys they are part of."""

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from streams.core.processing.committed import Committed
from streams.telemetry import metrics


def identity_figures(steps: Iterable[Committed]) -> Iterator[Metric]:
    """The metrics, off the last step of each partition."""
    of_purchases = metrics.STITCHED, metrics.FROM_NOWHERE
    specs = (*of_purchases, metrics.IDENTITY_ON, metrics.MOST_USERS, metrics.MOST_DEVICES)
    gauges = [GaugeMetricFamily(spec.name, spec.about, labels=spec.labels) for spec in specs]
    devices = GaugeMetricFamily(
        metrics.LINKED_DEVICES.name, metrics.LINKED_DEVICES.about, labels=metrics.LINKED_DEVICES.labels
    )
    capped = CounterMetricFamily(metrics.CAPPED.name, metrics.CAPPED.about, labels=metrics.CAPPED.labels)
    for step in steps:
        number, of = str(step.partition), step.devices
        values = (
            step.journeys.stitched,
            step.journeys.from_nowhere,
            int(of.on),
            of.most_users,
            of.most_devices,
        )
        for gauge, value in zip(gauges, values, strict=True):
            gauge.add_metric([number], value)
        for state in ("linked", "shared", "links_only"):
            devices.add_metric([number, state], getattr(of, state))
        capped.add_metric([number, "device"], of.capped_devices)
        capped.add_metric([number, "event"], of.capped_events)
    yield from (*gauges, devices, capped)
