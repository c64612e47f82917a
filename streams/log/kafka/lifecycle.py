"""Starting, stopping and waiting for a cluster: one way for all clients, because aiokafka's has three faults.

- aiokafka's clients log each broker that refuses them and then raise "unable to bootstrap", whatever the
  reason was. So after a failed start the brokers are asked one by one: one that accepts us is enough; a
  permanent reason ends everything at once; any other is reported and tried again.
- A start that fails or is cancelled leaves connections open, and so does a stop.
- Stopping a client hangs when its broker is gone.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.backoff import Backoff
from streams.errors import Refused, StreamsError, Unavailable
from streams.log.kafka import quirks
from streams.log.kafka.client import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, Cluster
from streams.log.kafka.errors import cluster_errors, explained

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0  # between tries at a cluster that does not answer
# A broker that takes longer to introduce itself would not do its work in time either.
SHORTEST_TRY_S, LONGEST_TRY_S = 1.0, 8.0


async def start(client: Any, cluster: Cluster, what: str, timeout_s: float | None = None) -> None:
    """Starts a producer, a consumer or an admin client of a cluster. Nothing is left running when it fails or
    is cancelled. `timeout_s`: how long that may take, OPEN_TIMEOUT_S if not given.

    Raises Refused or Unavailable, whose messages begin with `what`.
    """
    try:
        async with cluster_errors(what, OPEN_TIMEOUT_S if timeout_s is None else timeout_s):
            try:
                await client.start()
            except AssertionError as error:  # from aiokafka, when a broker is just coming back
                raise KafkaError(str(error)) from error
            except KafkaConnectionError as error:
                raise await refusal(cluster) or error from None
    except BaseException:
        quirks.abandon(client)
        raise


async def stop(*clients: Any) -> None:
    """Stops producers, consumers and admin clients for good. Never raises an error of theirs, and takes a few
    seconds at most.

    When it is cancelled, it hangs up on the spot: their connections are closed then too.
    """
    try:
        await asyncio.gather(*(_ended(client) for client in clients))
    finally:
        left = [task for client in clients for task in quirks.abandon(client)]
    if left:
        await asyncio.wait(left, timeout=CLOSE_TIMEOUT_S)
    else:
        await asyncio.sleep(0)


async def _ended(client: Any) -> None:
    """Stops a client as it wants to be stopped, within the time set for it.

    This is a task of its own: aiokafka cancels fetches that wait for a broker and then raises *their*
    cancellation, which the caller would take for its own.
    """
    task = asyncio.ensure_future(quirks.graceful_stop(client))
    task.add_done_callback(quirks.retrieve)
    try:
        await asyncio.wait([task], timeout=CLOSE_TIMEOUT_S)
    finally:
        task.cancel()
    await asyncio.wait([task], timeout=CLOSE_TIMEOUT_S)


async def refusal(cluster: Cluster, timeout_s: float = LONGEST_TRY_S) -> BaseException | None:
    """Why no broker accepts us; None if one does. Of several reasons the first permanent one, or else the
    last.
    """
    reason: BaseException | None = None
    for host, port in quirks.addresses(cluster.bootstrap):
        try:
            async with (
                asyncio.timeout(timeout_s),
                quirks.connection(host, port, cluster.connection_options()),
            ):
                return None
        except (KafkaError, OSError, TimeoutError) as error:
            if reason is None or not explained(reason).permanent:
                reason = error
    return reason


class FailedTry(NamedTuple):
    """What a try came to, for the person who waits."""

    detail: str  # what failed, and why
    pause_s: float  # before the next try
    left_s: float  # in which it may still be tried; infinite if there is no end


class Waiting:
    """Decides whether, and when, to try again at something that a cluster may refuse.

    It ends when the time is up, or at once for a reason that will not pass.
    """

    def __init__(self, timeout_ms: int, longest_pause_s: float = LONGEST_PAUSE_S) -> None:
        self._timeout_ms = timeout_ms
        self._backoff = Backoff(first_s=FIRST_PAUSE_S, longest_s=longest_pause_s)
        self._deadline_s = asyncio.get_running_loop().time() + timeout_ms / 1000

    @property
    def left_s(self) -> float:
        return self._deadline_s - asyncio.get_running_loop().time()

    def succeeded(self) -> None:
        """Notes that a try has worked. From now on there is no end to trying."""
        self._backoff.reset()
        self._deadline_s = float("inf")

    def failed(self, what: str, error: BaseException, hint: str = "") -> FailedTry:
        """Notes a failed try, and returns how long to pause before the next one.

        Raises Refused or Unavailable, with `what` and `hint` in their messages, if trying again is of no use.
        """
        permanent, detail = explained(error)
        if not isinstance(error, StreamsError):  # those name what failed
            detail = f"{what}: {detail}"
        if permanent:
            raise Refused(detail) from error
        left_s = self.left_s
        if left_s <= 0:
            time = f"tried for {self._timeout_ms / 1000:g} s (kafka.start_timeout)"
            raise Unavailable(f"{detail}; {time}{hint}") from error
        return FailedTry(detail, min(self._backoff.next_s(), left_s), left_s)


async def reach(cluster: Cluster, timeout_ms: int, report: Callable[[str], None]) -> None:
    """Returns when a broker answers. `report` gets a line for each try that failed. Raises Refused at once,
    Unavailable when the time is up.
    """
    what = f"no broker at {cluster.bootstrap} lets us in"
    hint = (
        ". Is kafka.bootstrap right, are brokers running there, and is kafka.security_protocol what that "
        "port speaks?"
    )
    waiting = Waiting(timeout_ms)
    while True:
        error = await refusal(cluster, min(LONGEST_TRY_S, max(SHORTEST_TRY_S, waiting.left_s)))
        if error is None:
            return
        failed = waiting.failed(what, error, hint)
        pause = f"trying again in {failed.pause_s:.1f} s, for {failed.left_s:.1f} s more"
        report(f"{failed.detail}; {pause}")
        await asyncio.sleep(failed.pause_s)
