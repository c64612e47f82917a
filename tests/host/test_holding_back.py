"""announce holds a transition back, and drops it when news makes it untrue."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple, cast

import pytest

from schemas import Transition
from streams.clock import Clock
from streams.host.announce import post_steps
from streams.host.announce_start import AnnounceStart
from streams.host.held_steps import MAX_HELD, HeldSteps
from tests.host.test_announce import receiving, step

HOLD_S = 60.0


class Message(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


class Record(NamedTuple):
    """A record as a stream gives it."""

    value: Transition
    message: Message


class SteppedClock(Clock):
    """A clock that goes on when it is told to."""

    now_s = 1_000.0

    def monotonic_s(self) -> float:
        return self.now_s


class News:
    """A stream of transitions, each so many seconds after the one before. It notes what is done."""

    def __init__(self, clock: SteppedClock, *rows: tuple[float, Transition]) -> None:
        self.clock, self.rows, self.done, self.lost = clock, rows, list[int](), set[int]()
        self.done_before: list[list[int]] = []  # what was done when each record came

    async def events(self) -> AsyncIterator[Any]:
        for offset, (after_s, value) in enumerate(self.rows):
            self.clock.now_s += after_s
            self.done_before.append([*self.done])
            yield Record(value, Message(0, offset))

    async def ack(self, event: Any) -> bool:
        self.done.append(event.message.offset)
        return True

    def is_current(self, message: Any) -> bool:
        return message.offset not in self.lost


class FromTheFirst:
    """announce begins with the first record."""

    def is_old(self, partition: int, offset: int) -> bool:
        return False


async def posts_of(news: News, **settings: Any) -> list[str]:
    """The ids that are posted, in order."""
    async with receiving(hold=f"{HOLD_S:.0f}s", **settings) as (receiver, webhook):
        webhook.clock = news.clock
        await post_steps(news, webhook, cast(AnnounceStart, FromTheFirst()))
        return [key.partition(":")[0] for key, _ in receiver.got]


def news(*rows: tuple[float, Transition]) -> News:
    return News(SteppedClock(), *rows)


def stalled(id: str, profile: str = "u:1", **fields: Any) -> Transition:
    return step(id=id, profile=profile, rev=1, **fields)


def other(after_s: float, **fields: Any) -> tuple[float, Transition]:
    """A transition that is not chosen: it shows what has been done until then."""
    return after_s, step(id="other", profile="u:9", kind="opened", **fields)


async def test_a_step_is_posted_when_its_time_is_up() -> None:
    """Not a moment before, and only then it is done."""
    told = news((0, stalled("a")), other(HOLD_S - 0.001), other(0.001), other(0))
    assert ["a"] == await posts_of(told)
    assert [[], [], [1], [1, 2, 0]] == told.done_before


async def test_who_converts_meanwhile_is_not_reminded() -> None:
    """Whatever the purchase is about. Others are, and so is a purchase itself."""
    told = news(
        (0, stalled("a", need="coffee")),
        (0, stalled("b", "u:2")),
        (1, stalled("c", kind="converted", need="car")),
        other(HOLD_S),
        other(0),
        other(0),
    )
    assert ["b", "c"] == await posts_of(told, kinds=("stalled", "converted"))
    assert [0] == told.done_before[3]


async def test_who_converts_afterwards_was_reminded() -> None:
    """The time counts from the step, not from the purchase."""
    converted = stalled("c", kind="converted")
    assert ["a"] == await posts_of(news((0, stalled("a")), other(HOLD_S), (0, converted), other(HOLD_S)))


async def test_a_step_that_is_taken_back_is_not_posted() -> None:
    """A newer assertion under its id is another step, and is posted."""
    back = step(id="a", profile="u:1", rev=2, op="retract")
    told = news((0, stalled("a")), (1, back), other(HOLD_S))
    assert [] == await posts_of(told)
    again = step(id="a", profile="u:1", rev=3)
    assert ["a"] == await posts_of(news((0, stalled("a")), (1, back), (0, again), other(HOLD_S)))


async def test_what_is_held_at_the_end_comes_again() -> None:
    """It is not done, so the next worker gets it."""
    told = news((0, stalled("a")), other(1))
    assert [] == await posts_of(told)
    assert [1] == told.done


async def test_a_step_of_a_partition_that_has_gone_is_not_posted_here() -> None:
    """Its next owner holds it back anew."""
    told = news((0, stalled("a")), other(HOLD_S), other(0))
    told.lost.add(0)
    assert [] == await posts_of(told)


async def test_without_a_delay_all_is_posted_at_once() -> None:
    """As it comes, one after the other."""
    told = news((0, stalled("a")), (0, stalled("b")), other(0))
    async with receiving(hold="0s") as (receiver, webhook):
        await post_steps(told, webhook, cast(AnnounceStart, FromTheFirst()))
    assert ["a:1", "b:1"] == [key for key, _ in receiver.got]
    assert [[], [0], [0, 1]] == told.done_before


def test_memory_is_bounded() -> None:
    """With so many waiting, nothing more is read before the oldest is due; what went leaves nothing."""
    held: HeldSteps[int] = HeldSteps(HOLD_S)
    for n in range(MAX_HELD):
        assert not held.is_full
        held.add(stalled(f"s{n}", f"u:{n % 7}"), n, now_s=n)
    assert held.is_full
    assert (HOLD_S, 0.0) == (held.wait_s(0), held.wait_s(HOLD_S))
    assert (None, 0) == (held.pop_due(HOLD_S - 1), held.pop_due(HOLD_S).token)  # type: ignore[union-attr]  # due
    assert not held.is_full
    for n in range(7):
        held.drop_untrue(stalled("c", f"u:{n}", kind="converted"))
    assert held.wait_s(0) is None


@pytest.mark.parametrize("kind", ["opened", "advanced", "partially_refunded", "refunded", "abandoned"])
def test_other_news_drops_nothing(kind: str) -> None:
    """Only a purchase or a retraction makes a step untrue."""
    held: HeldSteps[str] = HeldSteps(HOLD_S)
    held.add(stalled("a"), "token", now_s=0)
    assert [] == held.drop_untrue(stalled("b", kind=kind))
    assert ["token"] == held.drop_untrue(stalled("b", kind="converted"))


@pytest.mark.parametrize("kind", ["converted", "partially_refunded", "refunded"])
def test_a_purchase_makes_no_other_untrue(kind: str) -> None:
    """What is said of an earlier purchase stays true."""
    held: HeldSteps[str] = HeldSteps(HOLD_S)
    held.add(stalled("a", kind=kind), "token", now_s=0)
    assert [] == held.drop_untrue(stalled("b", kind="converted"))
