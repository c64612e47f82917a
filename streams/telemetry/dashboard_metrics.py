"""What `streams dashboard` shows of itself at /metrics. No label holds a part of an address or an event."""

from streams.telemetry.metric_spec import MetricSpec

DASHBOARD_READY = MetricSpec(
    "streams_dashboard_ready", "gauge", (), "1: all that was committed has been read, and the log answers"
)
DASHBOARD_AGE = MetricSpec(
    "streams_dashboard_age_seconds",
    "gauge",
    (),
    "now minus the event time up to which the figures go; absent while nothing has come",
)
DASHBOARD_RECORDS = MetricSpec(
    "streams_dashboard_records_read_total", "counter", (), "records of topics that were read"
)
DASHBOARD_LISTENERS = MetricSpec(
    "streams_dashboard_listeners", "gauge", (), "pages and programs that listen to /api/stream"
)
DASHBOARD_DROPPED = MetricSpec(
    "streams_dashboard_listeners_dropped_total",
    "counter",
    (),
    "listeners that were dropped because they took nothing for 20 seconds",
)
DASHBOARD_REQUESTS = MetricSpec(
    "streams_dashboard_requests_total", "counter", ("status",), "requests by the status of their answers"
)

DASHBOARD_METRICS = (
    DASHBOARD_READY, DASHBOARD_AGE, DASHBOARD_RECORDS, DASHBOARD_LISTENERS, DASHBOARD_DROPPED,
    DASHBOARD_REQUESTS,
)  # fmt: skip
