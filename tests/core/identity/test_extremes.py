"""A device with thousands of people, and a person with thousands of devices: what they cost does not grow
with how many there are, and nobody else notices. Work is counted in function calls, so it is the same on any
machine.
"""

import sys
from types import FrameType
from typing import Any

import msgspec
import pytest

from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.device import MAX_GIVEN
from streams.core.identity.links import LINK_QUARTER_MS, MAX_LINKS, Spans
from streams.core.processing.parameters import IdentityParameters
from tests.core.processing.feeding import MINUTE, PLAN, Feed
from tests.core.processing.test_connecting import raw

ON = msgspec.structs.replace(PLAN, identity=IdentityParameters(Spans(), CollectiveUsers()))
# In the first visits nobody has been silent for long enough yet.
FEW, MANY = 1_300, 2_400
BATCH = 20  # visits


def visit(n: int, user: str, device: str) -> list[bytes]:
    """A guest, who signs in a minute later."""
    at = n * LINK_QUARTER_MS // 4
    return [
        raw(at, f"guest-{n}-{device}", device=device),
        raw(at + MINUTE, f"user-{n}-{device}", user=user, device=device),
    ]


def kiosk(n: int) -> list[bytes]:
    """Somebody new at a kiosk."""
    return visit(n, f"u{n}", "kiosk")


def robot(n: int) -> list[bytes]:
    """One user on a new device."""
    return visit(n, "robot", f"device-{n}")


class Calls:
    """Counts the calls of functions, those written in C included."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Calls":
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, arg: Any) -> None:
        self.count += event in ("call", "c_call")


def run(feed: Feed, extreme: Any, begin: int, end: int) -> int:
    """Takes these visits. Returns the calls of the last batch."""
    for n in range(begin, end, BATCH):
        feed.outputs.clear()
        values = [value for k in range(n, n + BATCH) for value in extreme(k)]
        if n + BATCH >= end:
            with Calls() as calls:
                feed.take(*values)
            return calls.count
        feed.take(*values)
    raise AssertionError("no batch")


@pytest.mark.parametrize("extreme", [kiosk, robot])
def test_work_and_memory_do_not_grow(extreme: Any) -> None:
    """A batch costs after thousands of visits what it costs after hundreds, and what is kept of the device or
    of the person is bounded.
    """
    feed = Feed(plan=ON)
    few = run(feed, extreme, 0, FEW)
    many = run(feed, extreme, FEW, MANY)
    assert many < 1.2 * few
    assert feed.processor.connector is not None
    devices = feed.processor.connector.devices
    held = [devices.get(f"d:{name}") for name in ("kiosk", *[f"device-{n}" for n in range(MANY)])]
    assert all(len(d.links) <= MAX_LINKS and len(d.given or ()) <= MAX_GIVEN for d in held if d is not None)
    largest = max(len(value) for value in feed.state.values())
    assert largest < 32_768, "no state record grows"


@pytest.mark.parametrize("extreme", [kiosk, robot])
def test_nobody_else_is_slowed(extreme: Any) -> None:
    """An ordinary guest who signs in takes as many calls beside an extreme one as in a partition without."""
    work = []
    for before in (0, MANY):
        feed = Feed(plan=ON)
        if before:
            run(feed, extreme, 0, before)
        # Time stands still at the second visit, so nobody falls silent meanwhile.
        feed.take(*visit(MANY, "zoe", "tablet"))
        with Calls() as calls:
            feed.take(*visit(MANY, "ann", "phone"))
        work.append(calls.count)
    alone, beside = work
    assert abs(beside - alone) < 0.1 * alone
