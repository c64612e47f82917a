"""Lets the settled mark pass a partition that is away: `streams app exclude`.

The command is a message to each other partition. One that has excluded the partition notes it in its
checkpoint, and any other does nothing: the partition has reported, so nothing has to be given up.
"""

from collections.abc import Awaitable, Callable

from streams.clock import Clock
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.inbox import PassMessage, encode_message
from streams.log.port import Log
from streams.records import Output
from streams.topology import INBOX


async def send_pass(log: Log, number: int) -> None:
    """Tells all other partitions to let the settled mark pass this one."""
    message = encode_message(PassMessage(number))
    others = [other for other in range(log.partitions) if other != number]
    await log.send([Output(INBOX.name, None, message, (), other) for other in others])


async def wait_for_pass(
    log: Log, number: int, clock: Clock, pause: Callable[[], Awaitable[None]], timeout_s: float
) -> list[int]:
    """The partitions that have not let it pass when so many seconds are over, in order. Empty: all have.

    `pause` is awaited between two looks.
    """
    began_s = clock.monotonic_s()
    while True:
        stored = enumerate(await log.checkpoints())
        left = [other for other, raw in stored if other != number and not _has_passed(raw, number)]
        if not left or clock.monotonic_s() - began_s > timeout_s:
            return left
        await pause()


def _has_passed(checkpoint: bytes | None, number: int) -> bool:
    """True if the partition with this checkpoint lets the settled mark pass that one."""
    if checkpoint is None:
        return False
    peer = decode_checkpoint(checkpoint).peers.get(number)
    return peer is not None and peer.passed
