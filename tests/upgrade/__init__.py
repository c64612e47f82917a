"""Data of every format that was ever released, as operators have it: a data directory in mid-life.

`v1/log.sqlite.xz` was written by the program whose format was 1, and is never written again. It is half processed: needs, tenants, orders,
refunds, a robot over its cap, profiles folded and trimmed, three eras of two versions of the rules, and input still to be read.
"""

import lzma
from pathlib import Path

from streams.core.moments import rules
from streams.core.processing import checkpoint
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.rulebook import Version
from streams.core.processing.step import RULES, decode_version
from streams.log.port import Log
from streams.log.sqlite.log import SqliteLog
from streams.runtime.partition_agent import Agent
from streams.settings.fold import Fold
from streams.settings.loading import Settings
from streams.topology import EVENTS, STATE

HERE = Path(__file__).parent
BATCH = 50  # the eras and the checkpoint stand at multiples of it, so that whoever reads the input anew makes the same batches


def unpacked(number: int, data_dir: Path) -> Path:
    """A copy of the stored data directory."""
    (data_dir / "log.sqlite").write_bytes(
        lzma.decompress((HERE / f"v{number}" / "log.sqlite.xz").read_bytes())
    )
    return data_dir


class Past:
    """What a stored data directory tells about how it came about."""

    def __init__(
        self, last: Checkpoint, versions: list[Version], values: list[bytes], arrived_ms: int
    ) -> None:
        self.last, self.versions, self.values, self.arrived_ms = last, versions, values, arrived_ms
        self.settings = Settings.model_validate(
            {**Fold.model_validate_json(last.fold).model_dump(mode="json"), "batch": BATCH}
        )

    @classmethod
    async def of(cls, log: SqliteLog) -> "Past":
        (raw,) = await log.checkpoints()
        assert raw is not None
        state = [(record.key or b"", record.value or b"") async for _, record in log.scan(STATE.name)]
        versions = [decode_version(value) for key, value in state if key[:1] == RULES]
        records = [record async for _, record in log.scan(EVENTS.name)]
        return cls(
            checkpoint.decode(raw), versions, [record.value or b"" for record in records], records[0].time_ms
        )

    async def relive(self, log: Log) -> None:
        """The whole of it in a new log, without a break and by the program as it is now."""
        await log.append([(0, None, value, self.arrived_ms, ()) for value in self.values])
        ends = [era.offsets["events:0"] for era in self.last.eras[1:]] + [len(self.values)]
        for era, end in zip(self.last.eras, ends, strict=True):
            agent = await Agent.open(log, 0, self.settings, rules.load(self.versions[era.version].text))
            while agent.pipeline.checkpoint.offset < end:
                await agent.step()
        await finish(agent)

    async def go_on(self, log: Log) -> Agent:
        """From where it stopped, to the end of its input."""
        agent = await Agent.open(
            log, 0, self.settings, rules.load(self.versions[self.last.eras[-1].version].text)
        )
        while agent.pipeline.checkpoint.offset < len(self.values):
            await agent.step()
        return await finish(agent)


async def finish(agent: Agent) -> Agent:
    """Forty days later: what was open is abandoned, what is closed becomes final."""
    await agent.catch_up(agent.pipeline.population.mark + 40 * 86_400_000)
    return agent
