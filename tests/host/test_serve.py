"""A worker process ends by a signal, by a StreamsError or by a defect, and always within its time."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from streams.errors import Fenced, Incompatible, StreamsError, Unavailable
from streams.host.serve import run_app
from streams.settings.kafka import KafkaSettings
from tests.host.hosting import KAFKA, app, real_app, running


async def test_asked_to_stop_it_closes_and_has_no_failure() -> None:
    """The worker finishes its open batch first."""
    made = app()
    async with running(made) as (worker, _):
        worker.closing_s = 0.2
    assert worker.closed
    assert made.process.failure is None


@pytest.mark.parametrize(
    "failure",
    [
        Incompatible("other settings"),
        Fenced("another calls itself so"),
        Unavailable("nobody answers"),
        KeyError("x"),
    ],
)
async def test_an_error_of_the_worker_ends_the_process_with_it(failure: Exception) -> None:
    """The failure of the process is the very error, which decides the exit code."""
    made = app()
    async with running(made) as (worker, _):
        worker.failure = failure
        worker.failing.set()
        await asyncio.wait_for(made.process.ending.wait(), 5)
    assert made.process.failure is failure


async def test_a_worker_that_ends_by_itself_is_a_defect() -> None:
    """The process ends too: without its worker it would still look healthy."""
    made = app()
    async with running(made) as (worker, _):
        worker.failing.set()
        await asyncio.wait_for(made.process.ending.wait(), 5)
    assert made.process.failure is not None
    assert not isinstance(made.process.failure, StreamsError)


async def test_what_does_not_close_is_left_after_the_grace() -> None:
    """Closing returns False when the grace time is over."""
    made = app(kafka=KafkaSettings(**{**KAFKA.model_dump(), "session_timeout": "100ms", "grace": "300ms"}))
    life = asyncio.create_task(run_app(made))
    while made.worker_service.worker is None:
        await asyncio.sleep(0.01)
    made.worker_service.worker.closing_s = 3  # type: ignore[attr-defined]  # it is the one of the tests
    began = time.monotonic()
    made.process.end()
    assert not await life
    assert time.monotonic() - began < 2
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await made.web.on_stop()


async def test_stopped_while_it_still_waits_for_the_cluster() -> None:
    """The process ends at once, without a failure."""
    made = real_app()
    with capture_logs() as lines:
        life = asyncio.create_task(run_app(made))
        while not any(line["event"] == "waiting" for line in lines):
            await asyncio.sleep(0.05)
        made.process.end()
        assert await asyncio.wait_for(life, 5)
    assert made.process.failure is None


async def test_a_cluster_that_does_not_answer_is_tried_for_a_time() -> None:
    """One line reports it; then the failure is Unavailable and names the setting."""
    made = real_app(kafka=KafkaSettings(**{**KAFKA.model_dump(), "start_timeout": "1s"}))
    with capture_logs() as lines:
        assert await asyncio.wait_for(run_app(made), 10)
    assert isinstance(made.process.failure, Unavailable)
    assert "127.0.0.1:9" in str(made.process.failure)
    assert str(made.process.failure).endswith("tried for 1 s (kafka.start_timeout)")
    assert len([line for line in lines if line["event"] == "waiting"]) == 1


async def test_a_crash_of_fausts_ends_the_process(caplog: pytest.LogCaptureFixture) -> None:
    """The failure of the process is the reason of the crash."""
    made = app()
    reason = RuntimeError("something of Faust's")
    async with running(made):
        await made.web.crash(reason)
        await asyncio.wait_for(made.process.ending.wait(), 5)
    assert made.process.failure is reason


async def test_the_leader_is_who_works_on_partition_0() -> None:
    """Timers that only one worker runs need one leader."""
    made = app()
    async with running(made) as (worker, _):
        assert made.is_leader()
        worker.current = worker.current._replace(opened=frozenset({1}))
        assert not made.is_leader()
