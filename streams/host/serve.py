"""From start to end of a worker process: signals, the order of closing, the exit code. Both forms of starting it come here."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from streams.errors import StreamsError, Unavailable
from streams.settings.durations import duration_text
from streams.telemetry import logs

if TYPE_CHECKING:
    from streams.host.application import App

SIGNALS = (signal.SIGINT, signal.SIGTERM)
DEFECT = 1  # the exit code of an error that nobody foresaw


def serve(app: "App") -> None:
    """Runs the app until a signal ends it, and returns then. Raises StreamsError, or SystemExit when the log says already what ended it.

    A second signal ends the process at once: the batch at hand is done again later.
    """
    logs.configure(app.settings.log_format)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        in_time = runner.run(_live(app))
        if not in_time:
            # A client that hangs may hang in a thread, too, for which the interpreter would wait.
            grace = duration_text(app.settings.kafka.grace)
            app.lines.error(
                "stopped",
                reason=f"not everything was closed within kafka.grace = {grace}; what was not committed is done again",
            )
            sys.stderr.flush()
            os._exit(Unavailable.exit_code)
    failure = app.failure
    if failure is None:
        return
    if not isinstance(failure, StreamsError):
        app.lines.critical("defect", reason=f"{type(failure).__name__}: {failure}", exc_info=failure)
        raise SystemExit(DEFECT)
    if app.settings.log_format == "json":  # whoever reads the log reads nothing else
        app.lines.error("ended", reason=str(failure), exit_code=failure.exit_code)
        raise SystemExit(failure.exit_code)
    raise failure


async def _live(app: "App") -> bool:
    """Whether everything was closed in time. `app.failure` says why it ended."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, _on_signal, app, number)
    starting = asyncio.create_task(_start(app), name="start")
    await app.over.wait()
    app.journeys.asked.set()  # at once: the rest is closed meanwhile
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
    closing = asyncio.create_task(app.stop(), name="stop")
    done, _ = await asyncio.wait({closing}, timeout=app.settings.kafka.grace / 1000)
    for task in done:
        if (error := task.exception()) is not None:
            app.failure = app.failure or error
    return bool(done)


async def _start(app: "App") -> None:
    """Returns when something of Faust's has crashed, never otherwise."""
    try:
        await app.start()
        await app._crashed.wait()
    except Exception as error:
        app.end(error)
    else:
        app.end(app.crash_reason or AssertionError("crashed without a reason"))


def _on_signal(app: "App", number: int) -> None:
    if app.over.is_set():
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    app.end()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: a third less time per request of a broker."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
