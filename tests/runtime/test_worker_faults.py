"""A worker whose log fails, whose group ends, or that is cut off: in virtual time, as in `test_worker`."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from streams.errors import Incompatible, Refused, StreamsError, Unavailable
from streams.log.port import Restoring
from streams.runtime.pace import CHECKPOINT_EVERY_S, LONGEST_DELAY_S
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.runtime.crew import SETTINGS, Crew
from tests.runtime.group import HEARTBEAT_S, SESSION_S
from tests.runtime.virtual import SLACK_S, now_s, virtual

GRACE_S = SETTINGS.kafka.grace / 1000


class Faults:
    """Raises an error at a share of its calls at one point."""

    def __init__(self, error: Exception, point: str, share: float = 1.0) -> None:
        self.error, self.point, self.share = error, point, share
        self.on = False
        self.random = random.Random(1)

    def __call__(self, point: str) -> None:
        if self.on and point == self.point and self.random.random() < self.share:
            raise self.error


@pytest.mark.parametrize(
    "point", ["open.before", "open.after", "restore.before", "read.before", "commit.before", "commit.after"]
)
@virtual
async def test_an_agent_that_died_is_opened_anew(point: str) -> None:
    """The attempts become rarer while the fault lasts, and the result is exact when it is over."""
    faults = Faults(Unavailable("the broker is away"), point)
    crew = Crew(2, faults=faults)
    crew.hire("a")
    await crew.open_everywhere("a")
    await crew.send(100)
    await crew.caught_up()
    faults.on = True
    if not point.startswith(("read", "commit")):
        for number in range(2):
            await crew.log.open(number) if point == "restore.before" else crew.log._stored[
                number
            ].__setattr__("epoch", 99)
    await crew.send(100)
    await asyncio.sleep(120)
    deaths = crew.figures["a"].deaths.total()
    assert 2 * 120 / LONGEST_DELAY_S / 2 < deaths < 2 * (120 / LONGEST_DELAY_S * 2 + 10)
    faults.on = False
    await crew.open_everywhere("a")
    await crew.caught_up()
    await crew.dismiss("a")
    await crew.exact()


@virtual
async def test_failed_commits_lose_nothing_and_repeat_nothing() -> None:
    """A tenth of all commits fails, half of these after they were written."""
    before, after = (
        Faults(Unavailable("away"), "commit.before", 0.05),
        Faults(Unavailable("away"), "commit.after", 0.05),
    )

    def both(point: str) -> None:
        before(point)
        after(point)

    crew = Crew(4, faults=both)
    before.on = after.on = True
    crew.hire("a")
    crew.hire("b")
    for turn in range(30):
        await crew.send(60, astray=turn % 2 == 0)
        await asyncio.sleep(1)
    await crew.caught_up()
    assert crew.figures["a"].deaths["unavailable"] > 3
    before.on = after.on = False
    for name in "ab":
        await crew.dismiss(name)
    await crew.exact()


@pytest.mark.parametrize(
    "error", [Incompatible("another format"), Refused("no right to write"), ZeroDivisionError("a bug")]
)
@virtual
async def test_an_error_that_trying_again_cannot_help_ends_the_worker(error: Exception) -> None:
    """It is raised after everything is closed; the next worker meets it too."""
    faults = Faults(error, "commit.before")
    crew = Crew(4, faults=faults)
    crew.hire("a")
    crew.hire("b")
    await crew.open_everywhere("a", "b")
    await crew.send(100)
    faults.on = True
    began_s = now_s()
    with pytest.raises(type(error), match=str(error)):
        await crew.ended("a")
    faults.on = False
    assert now_s() - began_s < CHECKPOINT_EVERY_S + SLACK_S
    assert not crew.figures["a"].open
    assert isinstance(error, StreamsError) or crew.figures["a"].deaths["defect"] > 0
    assert "stopped" == crew.logged("stopped", "a")[0].event
    with pytest.raises(type(error)):
        await crew.ended("b")


@virtual
async def test_an_assertion_of_the_client_is_no_defect_of_ours() -> None:
    """While a broker is coming back, aiokafka finds none and asserts that there is one.

    That passes like other errors of a cluster.
    """
    crew = Crew(1)
    client = AIOKafkaClient()
    client.get_random_node = lambda: None
    worker = crew.hire("a")
    proper = worker.context.open

    async def asking(partition: int, on_restore: Restoring) -> Any:
        if crew.figures["a"].deaths.total() < 3:
            await client.coordinator_lookup(0, "group")
        return await proper(partition, on_restore)

    worker.context.open = asking
    await crew.open_everywhere("a")
    assert Counter(unavailable=3) == crew.figures["a"].deaths
    await crew.dismiss("a")


@virtual
async def test_other_fold_settings_are_refused() -> None:
    """The error of the agent reaches the process."""
    crew = Crew(2)
    crew.hire("a")
    await crew.send(10)
    await crew.caught_up()
    await crew.dismiss("a")
    crew.hire("b", settings=Settings.model_validate({"allowed_lateness": "1h"}))
    with pytest.raises(Incompatible, match="allowed_lateness"):
        await crew.ended("b")


@virtual
async def test_the_end_of_the_membership_ends_the_worker() -> None:
    """`run` closes everything and raises the reason."""
    crew = Crew(2)
    crew.hire("a")
    await crew.open_everywhere("a")
    crew.members["a"].failure = Refused("no right to join")
    crew.members["a"].changed.set()
    with pytest.raises(Refused, match="no right to join"):
        await crew.ended("a")
    assert not crew.figures["a"].open


@virtual
async def test_an_agent_that_hangs_does_not_hold_up_the_end() -> None:
    """A step that is not done within the grace time is dropped."""
    crew = Crew(2)
    worker = crew.hire("a")
    await crew.open_everywhere("a")

    async def hanging(self: PartitionAgent, *args: Any, **kwargs: Any) -> int:
        await asyncio.sleep(1_000)
        return 0

    stuck = next(iter(worker._supervisors.values())).agent
    assert stuck is not None
    stuck.step = hanging.__get__(stuck)  # type: ignore[method-assign]  # as if no broker answered
    await asyncio.sleep(1)
    began_s = now_s()
    await crew.dismiss("a")
    assert now_s() - began_s <= GRACE_S
    assert not crew.figures["a"].open


@pytest.mark.parametrize("seed", range(8))
@virtual
async def test_a_wild_day(seed: int) -> None:
    """Workers come, go, are cut off and return, and commits fail: the result is exact all the same."""
    draw = random.Random(seed)
    faults = Faults(
        Unavailable("away"), draw.choice(["commit.before", "commit.after", "read.before", "open.after"]), 0.02
    )
    crew = Crew(draw.choice([1, 3, 6]), faults=faults)
    faults.on = True
    crew.hire("w0")
    there, away, hired = ["w0"], list[str](), 1
    await crew.open_everywhere("w0")
    for _ in range(25):
        await crew.send(draw.randrange(120), astray=draw.random() < 0.3)
        match draw.choice(["hire", "dismiss", "cut off", "back", "nothing"]):
            case "hire" if len(there) < 4:
                crew.hire(f"w{hired}")
                there.append(f"w{hired}")
                hired += 1
            case "dismiss" if len(there) > 1:
                name = there.pop(draw.randrange(len(there)))
                await crew.dismiss(name)
            case "cut off" if len(there) > 1:
                name = draw.choice(there)
                if crew.members[name].assignment.joined:
                    there.remove(name)
                    crew.members[name].cut_off()
                    away.append(name)
            case "back" if away:
                name = away.pop(draw.randrange(len(away)))
                await crew.members[name].back()
                there.append(name)
        await asyncio.sleep(draw.uniform(0, 2 * SESSION_S))
    for name in away:
        await crew.members[name].back()
    faults.on = False
    await asyncio.sleep(2 * SESSION_S + HEARTBEAT_S)
    await crew.open_everywhere(*there, *away)
    await crew.caught_up()
    for name in (*there, *away):
        await crew.dismiss(name)
    await crew.exact()
