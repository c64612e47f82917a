"""Waiting for a cluster at the start, and finding out why it does not let us in.

aiokafka's clients log each broker that turns them away and then say "unable to bootstrap", whatever the reason was. So before any of them starts, the
brokers are knocked at here one by one: one that answers is enough; a reason that will not pass ends it at once; any other is told in one line, and
tried again until the time is up.
"""

import asyncio
from collections.abc import Callable

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import KafkaError

from streams.errors import Refused, Unavailable
from streams.log.kafka.client import Cluster
from streams.log.kafka.errors import explained

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0  # between tries; each pause is twice the one before
SHORTEST_KNOCK_S, KNOCK_TIMEOUT_S = (
    1.0,
    8.0,
)  # a broker that takes longer to say who it is would not do its work in time either

CLOSING_S = 0.1  # a socket that is gone says so at once; of one that never was nobody says anything


async def knock(cluster: Cluster, timeout_s: float = KNOCK_TIMEOUT_S) -> BaseException | None:
    """None if a broker answers and accepts us; else why the first did not whose reason will not pass, or else the last."""
    why: BaseException | None = None
    for host, port, _ in collect_hosts(cluster.bootstrap):
        connection = AIOKafkaConnection(host, port, **_of_a_connection(cluster))
        try:
            async with asyncio.timeout(timeout_s):
                await connection.connect()
        except (KafkaError, OSError, TimeoutError) as error:
            if why is None or not explained(why).permanent:
                why = error
        else:
            return None
        finally:
            await asyncio.wait([connection.close()], timeout=CLOSING_S)
    return why


async def reach(cluster: Cluster, timeout_ms: int, say: Callable[[str], None]) -> None:
    """Returns when a broker answers. `say` gets a line for each try that failed. Raises Refused at once, Unavailable when the time is up."""
    loop = asyncio.get_running_loop()
    deadline, pause_s = loop.time() + timeout_ms / 1000, FIRST_PAUSE_S
    while (
        why := await knock(cluster, min(KNOCK_TIMEOUT_S, max(SHORTEST_KNOCK_S, deadline - loop.time())))
    ) is not None:
        permanent, says = explained(why)
        if permanent:
            raise Refused(f"{cluster.bootstrap} does not let us in: {says}")
        left_s = deadline - loop.time()
        if left_s <= 0:
            raise Unavailable(
                f"no broker at {cluster.bootstrap} answered within {timeout_ms / 1000:g} s (kafka.start_timeout): {says}. Is kafka.bootstrap right,"
                " are brokers running there, and is kafka.security_protocol what that port speaks?"
            )
        pause_s = min(pause_s, max(left_s, 0.0))
        say(
            f"no broker at {cluster.bootstrap} answers: {says}; trying again in {pause_s:.1f} s, for {left_s:.1f} s more"
        )
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _of_a_connection(cluster: Cluster) -> dict[str, object]:
    given = cluster.common()
    del given["bootstrap_servers"], given["retry_backoff_ms"]
    return given
