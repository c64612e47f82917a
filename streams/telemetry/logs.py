"""The program's own log: one line per thing that happens in a worker's life, for people or for machines, and nobody else's noise between.

`LIFE` lists the events; what they are about stands beside them. What libraries say through `logging` comes out in the same form, from warnings on,
and a line that repeats itself is held back: a broker that restarts makes every client say the same several times a second.
Lines go to standard error. No line holds an event of the input, a person, or a password.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

LIFE = {
    "joined": "the group has taken the worker in: members",
    "assigned": "which partitions the group gives it: partitions, new, lost, members",
    "opening": "a partition is taken over: partition",
    "restoring": "every few seconds while its state is read: partition, done, total (records)",
    "opened": "it reads events: partition, seconds, records",
    "closed": "it was given back, or taken over by another worker: partition, reason",
    "died": "its agent ended by an error, and is opened again unless that cannot help: partition, reason, error",
    "left": "the worker is out of the group: reason, if it is not on purpose",
    "stopping": "the worker is to stop: reason",
    "stopped": "everything is closed: reason, if it was not in time",
}  # a worker's events and what they are about; docs/operations.md shows them
REPEAT_S = 10.0  # a library's line that was said less than this ago is counted, not said
MAX_REPEATS = 256  # different lines remembered: the libraries have some dozens
# Each says something on a plain day, at the level of a warning or an error, that is handled and told by a line or a figure of our own.
QUIET = {
    "aiokafka.consumer.group_coordinator": logging.CRITICAL,  # every rebalance, every restart of a broker; a worker tells of both
    "aiohttp.access": logging.ERROR,  # every scrape
    "faust.web": logging.ERROR,
}
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Repeats(logging.Filter):
    """Says the same thing of the same logger once in a while; then with the number of times it was held back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], list[float]] = {}  # when last, and how often since

    def filter(self, record: logging.LogRecord) -> bool:
        key, now = (record.name, str(record.msg)), self._clock()
        last = self._said.get(key)
        if last is not None and now - last[0] < REPEAT_S:
            last[1] += 1
            return False
        if last is None and len(self._said) >= MAX_REPEATS:
            self._said.clear()
        record.repeated = int(last[1]) if last else 0
        self._said[key] = [now, 0]
        return True


def configure(
    format: Literal["console", "json"] = "console",
    level: Literal["debug", "info", "warning", "error"] = "info",
    libraries: Literal["debug", "info", "warning", "error"] = "warning",
    stream: TextIO | None = None,
) -> None:
    """Sets up the log of this process; may be called again. `level`: of our own lines, `libraries`: of all others. `stream`: not standard error."""
    out = stream or sys.stderr
    common: list[Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.add_log_level,
    ]
    last: list[Processor]
    if format == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    else:
        plain = structlog.dev.plain_traceback  # the other kind shows the values of variables: people's events
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
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _repeated, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[libraries])
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(quiet if libraries == "warning" else LEVELS[libraries])


def get() -> FilteringBoundLogger:
    """The log: `get().info("opened", partition=3)`."""
    log: FilteringBoundLogger = structlog.get_logger()
    return log


def _repeated(logger: Any, name: str, event: EventDict) -> EventDict:
    times = getattr(event.get("_record"), "repeated", 0)
    if times:
        event["repeated"] = times
    return event


def _json(event: EventDict, **_: Any) -> str:
    first = {key: event.pop(key) for key in ("at", "level", "event") if key in event}
    return orjson.dumps(first | dict(event), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
