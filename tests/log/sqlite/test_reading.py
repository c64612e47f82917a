"""A copy of the file alone, and a data directory in which nothing may be written, can be read."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.errors import Unavailable
from streams.log.sqlite import database
from streams.log.sqlite.log import SqliteLog
from tests.contract.looking import Seen, fill, full_batch, seen

NOBODY = 65_534  # the user id that may write nowhere, where the tests run as root, who may write everywhere


@contextmanager
def without_rights(directory: Path) -> Iterator[None]:
    """Nothing in the directory may be written, by the user as whom the process goes on."""
    for path in directory.iterdir():
        path.chmod(0o444)
    directory.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        directory.chmod(0o755)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that any user may enter, which pytest's own are not."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def _killed(directory: Path) -> None:
    """As kill -9 leaves it."""


def _no_index(directory: Path) -> None:
    (directory / f"{database.FILE}-shm").unlink()


def _empty_wal(directory: Path) -> None:
    _no_index(directory)
    (directory / f"{database.FILE}-wal").write_bytes(b"")


def _alone(directory: Path) -> None:
    _no_index(directory)
    (directory / f"{database.FILE}-wal").unlink()


KINDS: dict[str, tuple[Callable[[Path], None], bool]] = {
    "killed": (_killed, True),
    "without an index": (_no_index, True),
    "with an empty WAL": (_empty_wal, False),
    "the file alone": (_alone, False),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_copy_is_read_where_nothing_may_be_written(
    tmp_path: Path, open_to_all: Path, kind: str
) -> None:
    """All of it if its WAL is there, else what had come into the file; nothing is written beside it."""
    make, whole = KINDS[kind]
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    log._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    in_file = await seen(log)
    await fill(log, [b"x"])
    await session.commit(full_batch(b"2"))
    everything = await seen(log)
    copy = open_to_all / "copy"
    shutil.copytree(tmp_path, copy)
    make(copy)
    files = sorted(path.name for path in copy.iterdir())
    await log.close()
    with without_rights(copy):
        found: list[Seen] = []
        for frozen in (False, True):
            reader = SqliteLog.read_only(copy, frozen)
            found.append(await seen(reader))
            await reader.close()
    assert found == [everything if whole else in_file] * 2
    assert sorted(path.name for path in copy.iterdir()) == files


async def test_who_writes_meanwhile_is_noticed(open_to_all: Path) -> None:
    """A reader without the right to write sees no other process: it says so if one has written."""
    directory = open_to_all / "data"
    await SqliteLog(directory).close()
    with without_rights(directory):
        reader = SqliteLog.read_only(directory)
    (directory / database.FILE).chmod(0o644)
    log = SqliteLog(directory)
    await fill(log, [b"x"])
    with pytest.raises(Unavailable, match=r"was written while it was read.*ask again"):
        await reader.close()
    await log.close()
