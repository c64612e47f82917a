"""Waiting for something that other processes bring about."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

WAIT_S = 180.0  # a few seconds as a rule; the machine may be busy
LOOK_S = 0.2

Answer = TypeVar("Answer")


def eventually(what: Callable[[], Answer], wanted: str) -> Answer:
    """Its first answer that is true. Fails, saying what was wanted, when there is none in time."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(LOOK_S)
    raise AssertionError(f"not within {WAIT_S:.0f} s: {wanted}")


async def eventually_async(what: Callable[[], Awaitable[Answer]], wanted: str) -> Answer:
    """As `eventually`, for a question that others must be able to answer meanwhile."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if answer := await what():
            return answer
        await asyncio.sleep(LOOK_S)
    raise AssertionError(f"not within {WAIT_S:.0f} s: {wanted}")
