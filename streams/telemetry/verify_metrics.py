"""What `streams verify` leaves behind for Prometheus when it runs as a job: a file in the text format. It is
for the textfile collector of the node exporter, or to be pushed to a Pushgateway.

A run that ends with an error writes nothing: an old file then has an old time in it, and that is what to
alert on.
"""

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from streams.errors import InputError
from streams.telemetry.metric_spec import MetricSpec

EQUAL = MetricSpec(
    "streams_verify_equal", "gauge", ("app",), "1: all that was compared is equal; 0: it is not"
)
PEOPLE = MetricSpec(
    "streams_verify_people",
    "gauge",
    ("app", "checked"),
    "people by whether they were compared: `yes`, or `no` where their history is not whole any more",
)
COUNTERS = MetricSpec(
    "streams_verify_counters",
    "gauge",
    ("app", "checked"),
    "counters by whether they were compared: `yes`, `no`",
)
UNREADABLE_RANGES = MetricSpec(
    "streams_verify_unreadable_ranges",
    "gauge",
    ("app",),
    "ranges of records whose reader this release does not have: their partitions were not compared",
)
DURATION = MetricSpec("streams_verify_duration_seconds", "gauge", ("app",), "how long the comparison took")
FINISHED = MetricSpec(
    "streams_verify_finished_timestamp_seconds", "gauge", ("app",), "when it ended, seconds since 1970 UTC"
)

VERIFY_METRICS = (EQUAL, PEOPLE, COUNTERS, UNREADABLE_RANGES, DURATION, FINISHED)

Figures = dict[tuple[str, ...], float]
"""Values of a metric by its labels after `app`."""


def write_metrics(path: Path, app: str, figures: dict[MetricSpec, Figures]) -> None:
    """Replaces the file in one step. Raises InputError if it cannot be written."""
    registry = CollectorRegistry()
    for spec in VERIFY_METRICS:
        gauge = Gauge(spec.name, spec.about, spec.labels, registry=registry)
        for labels, value in figures[spec].items():
            gauge.labels(app, *labels).set(value)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise InputError(f"--metrics-file {path} cannot be written: {error.strerror or error}") from error
