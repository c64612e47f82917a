"""Writes the program's own log: a line per event of a worker's life, for people or for machines.

`LIFE` lists these events with the fields of their lines. Lines of libraries, which they write through
`logging`, come out in the same form, warnings and errors only; those of the Kafka client in our words
(`client_lines.py`). A line that repeats itself is held back: while a broker restarts, every client writes the
same line several times a second.

Lines go to standard error. No line contains an event of the input, a person, or a password.
"""

import logging
import sys
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from streams.clock import Clock
from streams.telemetry.client_lines import ClientLines

# A worker's events: when, and the fields of the line. docs/operations.md shows them.
LIFE = {
    "joined": "the worker is a member of the group: members",
    "assigned": "the group has assigned partitions to the worker: partitions, new, lost, members",
    "waiting": "the cluster, the group or a registry does not answer, and the worker asks again: reason",
    "opening": "the worker takes a partition over: partition",
    "restoring": "every few seconds while the state of a partition is read: partition, done, total (records)",
    "opened": "the agent of a partition begins to read events: partition, seconds, records",
    "closed": "a partition was given back, or another worker has taken it over: partition, reason",
    "died": "an agent ended by an error; another is opened unless that cannot help: partition, reason, error",
    "blocked": (
        "records of a source cannot be read, because a transaction there stays open: partition, source, "
        "records, since (when the worker saw it first)"
    ),
    "unblocked": "that transaction has ended: partition, source, seconds",
    "input_stopped": "an input was deleted and made anew, and is read no more: input, reason",
    "funnel_written": "the worker writes the topic `<app>.funnel` from now on: cells",
    "funnel_failed": "that topic could not be written, and the worker tries again: reason, again_s",
    "stopping": "the worker begins to stop: reason",
    "left": "the worker has left the group: reason, if it could not close everything",
    "stopped": "everything is closed: reason, if it was not in time",
}
REPEAT_S = 10.0  # a library's line that was written less than this ago is counted instead
MAX_REPEATS = 256  # different lines remembered: the libraries have some dozens
# Loggers whose warnings or errors are part of a normal day; a line or a figure of our own reports what
# matters.
MUTED = {
    "aiohttp.access": logging.ERROR,  # every scrape
    "faust.web": logging.ERROR,
}
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Repeats(logging.Filter):
    """Lets a repeated line of a logger pass once in a while, with the number of times it was held back."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or Clock()
        self._passed: dict[tuple[str, str], tuple[float, int]] = {}  # when last, and held back since then

    def filter(self, record: logging.LogRecord) -> bool:
        key, now_s = (record.name, str(record.msg)), self._clock.monotonic_s()
        passed_s, held_back = self._passed.get(key, (None, 0))
        if passed_s is not None and now_s - passed_s < REPEAT_S:
            self._passed[key] = (passed_s, held_back + 1)
            return False
        if passed_s is None and len(self._passed) >= MAX_REPEATS:
            self._passed.clear()
        record.repeated = held_back
        self._passed[key] = (now_s, 0)
        return True


def configure(
    format: Literal["console", "json"] = "console",
    level: Literal["debug", "info", "warning", "error"] = "info",
    libraries: Literal["debug", "info", "warning", "error"] = "warning",
    stream: TextIO | None = None,
) -> None:
    """Sets up the log of this process; may be called again.

    `level` is for our own lines, `libraries` for all others. `stream` takes the place of standard error.
    """
    out = stream or sys.stderr
    common: list[Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.add_log_level,
    ]
    last: list[Processor]
    if format == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    else:
        plain = structlog.dev.plain_traceback  # another kind shows the values of variables, which are events
        last = [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), timestamp_key="at", sort_keys=False, exception_formatter=plain
            )
        ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *common, *last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,  # a logger made before this call follows it
    )
    handler = logging.StreamHandler(out)
    handler.addFilter(ClientLines(detailed=LEVELS[libraries] < logging.WARNING))
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _fields, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[libraries])
    for name, muted in MUTED.items():
        logging.getLogger(name).setLevel(muted if libraries == "warning" else LEVELS[libraries])


def get() -> FilteringBoundLogger:
    """The log of this process: `get().info("opened", partition=3)`."""
    log: FilteringBoundLogger = structlog.get_logger()
    return log


def _fields(logger: Any, name: str, event: EventDict) -> EventDict:
    """What the filters have found out about a line of a library."""
    record = event.get("_record")
    if (fields := getattr(record, "fields", None)) is not None:
        event.pop("logger", None)
        event.update(fields)
    if times := getattr(record, "repeated", 0):
        event["repeated"] = times
    return event


def _json(event: EventDict, **_: Any) -> str:
    first = {key: event.pop(key) for key in ("at", "level", "event") if key in event}
    return orjson.dumps(first | dict(event), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
