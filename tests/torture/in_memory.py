"""A run without brokers and processes: the same shop, dead letters redriven, and the same laws, over a log in
memory. Partitions read by turns and are opened anew, as the seed draws it, so a run is the same each time.
"""

import time
from collections.abc import Callable
from random import Random

from schemas.receipt import DeadLetterTopic
from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.memory import MemoryLog
from streams.queries.redriving import Redrive, Wanted
from streams.queries.verify import verify
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.durations import DAYS
from streams.settings.tables import Settings
from tests.queries.signing_in import at_rest
from tests.simulation.commands import StoppedClock
from tests.torture import evidence
from tests.torture.evidence import Broken
from tests.torture.loader import place_of
from tests.torture.plan import LATER, PARTITIONS, UNKEYED_PARTITIONS, Plan
from tests.torture.receipts import RULES, RedriveRuns
from tests.torture.run import Outcome
from tests.torture.sharing import Sharing
from tests.torture.shop import KEYED, SPAN_MS, START_MS, Shop

NOW_MS = START_MS + SPAN_MS + DAYS  # all records were sent by then
INPUTS = ("web", "others")
COUNTS = (PARTITIONS, UNKEYED_PARTITIONS)
PIECES = (20, 100, 400, 1500)  # records that come between two looks of partitions
BATCH = 300
REOPENED = 0.05  # of these times a partition is opened anew
REDRIVEN = 0.03  # likewise, dead letters are redriven
LAST: tuple[DeadLetterTopic, ...] = ("late", "rejected", "late", "late", "rejected")


class MemoryRun:
    """The agents of a run, and the commands."""

    def __init__(self, plan: Plan) -> None:
        self.log = MemoryLog(PARTITIONS, round_robin=True, inputs=INPUTS)
        self.settings = Settings.model_validate({**plan.settings, "batch": BATCH})
        self.met: dict[str, int] = {}
        self._agents: dict[int, PartitionAgent] = {}
        self.commands: list[Redrive] = []

    async def agent(self, number: int) -> PartitionAgent:
        """Who reads a partition; somebody new if nobody does."""
        if number not in self._agents:
            agent = await PartitionAgent.open(
                self.log, number, self.settings, RULES, clock=StoppedClock(NOW_MS)
            )
            agent.report_every_s, agent.exclude_after_s = 0.0, None  # it reports with each batch
            self._agents[number] = agent
        return self._agents[number]

    async def live(self, plan: Plan, rnd: Random) -> int:
        """Everything comes, and most of it is read. Returns how many records came."""
        sharing = None if plan.links is None else Sharing(plan.sharing)
        records = Shop(plan.rnd, plan.size.people, sharing).records(plan.size.events)
        done = 0
        while done < len(records):
            end = min(len(records), done + rnd.choice(PIECES))
            for n in range(done, end):
                sent = records[n]
                key = sent.key if sent.input == KEYED else None
                stored = self.log._stored[place_of(n, sent, COUNTS)]
                stored.append(INPUTS[sent.input], NOW_MS, key, sent.value, ())
            done = end
            for number in rnd.sample(range(PARTITIONS), rnd.randint(1, PARTITIONS)):
                for _ in range(rnd.randint(1, 3)):
                    await (await self.agent(number)).step()
            if rnd.random() < REOPENED:
                self._agents.pop(rnd.randrange(PARTITIONS), None)
                self._note("reopened")
            if rnd.random() < REDRIVEN:
                await self.redrive(rnd.choice(LAST))
        return len(records)

    async def redrive(self, letter: DeadLetterTopic) -> None:
        """Sends dead letters; nobody waits for the receipts."""
        command = Redrive(self.log, f"redrive-{len(self.commands)}", StoppedClock(NOW_MS))
        await command.send(Wanted(letter), lambda sent: None)
        self.commands.append(command)
        self._note("redrive")

    async def settle(self) -> list[int]:
        """Reads everything. Returns how many batches each partition has committed."""
        await at_rest([await self.agent(number) for number in range(PARTITIONS)])
        stored = await self.log.checkpoints()
        return [decode_checkpoint(raw).batches if raw is not None else 0 for raw in stored]

    def renew(self, settings: Settings) -> None:
        """Others read from now on, under these settings."""
        self.settings = settings
        self._agents.clear()

    def _note(self, what: str) -> None:
        self.met[what] = self.met.get(what, 0) + 1


async def run_in_memory(plan: Plan, seed: int, say: Callable[[str], None]) -> Outcome:
    """`say` is called once per thing that happens."""
    began = time.monotonic()
    run, settings = MemoryRun(plan), Settings.model_validate(plan.settings)
    sent = await run.live(plan, Random(f"in memory {seed}"))
    batches = await run.settle()
    say("everything is read; agents that can read more come, and dead letters are redriven")
    later = Settings.model_validate({**plan.settings, **LATER, "batch": BATCH})
    run.renew(later)
    for letter in LAST:
        await run.redrive(letter)
        await run.settle()
    say("everything is read; the laws are asked")
    last = [command.done.command for command in run.commands[-2:]]
    found = await evidence.look(run.log, settings, sent, RedriveRuns(batches, last, later))
    broken = [*found.broken]
    verified = await verify(run.log, lambda done, total: None)
    if verified.difference:
        broken.append(Broken("verify", verified.difference))
    return Outcome(broken, found.figures, run.met, time.monotonic() - began)
