"""A worker process from start to end: signals, the order of closing, the exit code.

`streams run --kafka` and `faust -A streams.host worker` both come here.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from streams.errors import StreamsError, Unavailable
from streams.host.application import App
from streams.host.process import Process
from streams.settings.durations import duration_text
from streams.telemetry import logs

SIGNALS = (signal.SIGINT, signal.SIGTERM)
DEFECT_EXIT_CODE = 1  # for an error that nobody foresaw


def serve(app: App) -> None:
    """Runs the app until a signal ends it. Raises StreamsError, or SystemExit when the log has the reason.

    A second signal ends the process at once; the open batch is then processed again by the next owner.
    """
    process = app.process
    logs.configure(process.settings.log_format)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        in_time = runner.run(run_app(app))
        if not in_time:
            # A client that hangs may also hang in a thread, and the interpreter would wait for that.
            grace = duration_text(process.settings.kafka.grace)
            process.logger.error(
                "stopped",
                reason=f"closing took longer than kafka.grace = {grace}; uncommitted work is done again",
            )
            sys.stderr.flush()
            os._exit(Unavailable.exit_code)
    failure = process.failure
    if failure is None:
        return
    if not isinstance(failure, StreamsError):
        process.logger.critical("defect", reason=f"{type(failure).__name__}: {failure}", exc_info=failure)
        raise SystemExit(DEFECT_EXIT_CODE)
    if process.settings.log_format == "json":  # a program reads the log, and nothing else
        process.logger.error("ended", reason=str(failure), exit_code=failure.exit_code)
        raise SystemExit(failure.exit_code)
    raise failure


async def run_app(app: App) -> bool:
    """Runs the app. True if everything was closed in time; `app.process.failure` holds why it ended."""
    process = app.process
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, _on_signal, process, number)
    starting = asyncio.create_task(_start(app), name="start")
    await process.ending.wait()
    app.worker_service.stop_requested.set()  # the worker begins to close before Faust's services are stopped
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
    closing = asyncio.create_task(app.stop(), name="stop")
    done, _ = await asyncio.wait({closing}, timeout=process.settings.kafka.grace / 1000)
    for task in done:
        if (error := task.exception()) is not None:
            process.failure = process.failure or error
    return bool(done)


async def _start(app: App) -> None:
    """Starts the app, and ends the process when a service of Faust's crashes."""
    try:
        await app.start()
        await app._crashed.wait()
    except Exception as error:
        app.process.end(error)
    else:
        app.process.end(app.crash_reason or AssertionError("crashed without a reason"))


def _on_signal(process: Process, number: int) -> None:
    if process.ending.is_set():
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    process.end()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop if it is installed: a request to a broker then takes a third less time."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
