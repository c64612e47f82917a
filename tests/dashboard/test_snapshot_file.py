"""A start goes on from where the last one ended, if it is the same log."""

from pathlib import Path

import pytest

from streams.dashboard.following import Following
from streams.dashboard.model import LiveModel
from streams.dashboard.snapshot_file import SnapshotFile, name_of_directory
from streams.errors import ConfigError
from streams.log.memory import MemoryLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.dashboard.asking import StillClock, shown
from tests.queries.written import RULES, SHOP, did


async def started(log: MemoryLog, path: Path, troubles: list[str]) -> tuple[LiveModel, Following]:
    """A dashboard that has read the log, with a snapshot."""
    name = await name_of_directory(log)
    assert name is not None
    model = LiveModel("shop", log.partitions)
    snapshot = SnapshotFile(path, name, troubles.append)
    following = Following(log, model, StillClock(), troubles.append, snapshot)
    await following.start(Settings().fold)
    while not await following.turn():
        pass
    return model, following


async def test_a_start_reads_only_what_has_come_since(tmp_path: Path) -> None:
    """With the counters that a reader of everything has."""
    log, path, troubles = await shown(SHOP), tmp_path / "snapshot", list[str]()
    first, following = await started(log, path, troubles)
    following.keep()
    again, _ = await started(log, path, troubles)
    assert first.cells.sums() == again.cells.sums()
    assert again.records < first.records / 2
    agent = await PartitionAgent.open(log, 0, Settings(), RULES)
    await log.append([NewRecord(0, None, did("u:gil", "look", 6 * 1440), 2_000_000_000_000)])
    await agent.catch_up()
    whole, _ = await started(log, tmp_path / "none", troubles)
    later, _ = await started(log, path, troubles)

    def counted(model: LiveModel) -> dict[str, int]:
        return {repr(cell): cell.count for cell in model.cells.sums()}

    assert counted(whole) == counted(later) != counted(first)
    assert [] == troubles


async def test_a_snapshot_of_another_log_is_named_and_left(tmp_path: Path) -> None:
    """One that was filled anew under the same name, too; and one that is damaged."""
    path, troubles = tmp_path / "snapshot", list[str]()
    _, following = await started(await shown(SHOP), path, troubles)
    following.keep()
    other = await shown([did("u:hal", "look", 1)])
    model, _ = await started(other, path, troubles)
    assert 1 == sum(cell.count for cell in model.cells.sums(measure="cohort"))
    path.write_bytes(b"x" + path.read_bytes()[1:])
    await started(other, path, troubles)
    assert [True, True] == ["everything is read" in trouble for trouble in troubles]


@pytest.mark.parametrize("name", ["nowhere/snapshot", ""])
def test_a_place_where_nothing_can_be_written_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is served."""
    with pytest.raises(ConfigError, match=r"dashboard\.snapshot = .*: no file can be written there"):
        SnapshotFile(tmp_path / name, "shop", print)


async def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    """And the dashboard goes on."""
    troubles: list[str] = []
    (tmp_path / "snapshot.new").mkdir()
    _, following = await started(await shown(SHOP), tmp_path / "snapshot", troubles)
    following.keep()
    assert ["cannot be written" in trouble for trouble in troubles] == [True]


async def test_an_empty_log_has_no_name_yet() -> None:
    """So nothing of it is kept."""
    assert None is await name_of_directory(MemoryLog(2))
