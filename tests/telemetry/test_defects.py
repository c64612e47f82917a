"""What only a defect can bring about is a line of the log."""

import structlog
from structlog.testing import capture_logs

from streams.telemetry.defects import defect_observer
from tests.telemetry.steps import step


def test_events_that_are_not_where_they_should_be_are_logged() -> None:
    """One line for each step that found some, with the partition and how many; and none for what is usual."""
    with capture_logs() as lines:
        observe = defect_observer(structlog.get_logger())
        observe(step(3, reasons={"moved": {"given": 5}}))
        observe(step(3))
        observe(step(3, reasons={"moved": {"given": 5, "inconsistent": 2}}))
    (line,) = lines
    assert ("inconsistent", "error", 3, 2) == tuple(
        line[name] for name in ("event", "log_level", "partition", "events")
    )
