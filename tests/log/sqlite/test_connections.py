"""What a process holds of a database file, against other processes."""

import subprocess
import sys
from pathlib import Path

from streams.log.sqlite import database
from streams.log.sqlite.log import SqliteLog
from tests.contract.looking import full_batch

LOOK = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1])
print(con.execute("SELECT count(*) FROM places").fetchone()[0] > 0)
con.close()
"""


async def test_readers_come_and_go_and_the_locks_stay(tmp_path: Path) -> None:
    """Another process that closes the file never takes itself for the only one: the WAL stays, and what is
    committed into it is there.
    """
    log = SqliteLog(tmp_path)
    session = await log.open(0)
    await session.commit(full_batch(b"1"))
    await SqliteLog.read_only(tmp_path).close()
    await log.position("a file")
    wal = tmp_path / f"{database.FILE}-wal"
    before = wal.stat().st_ino
    look = subprocess.run(
        [sys.executable, "-c", LOOK, tmp_path / database.FILE], capture_output=True, text=True, check=True
    )
    assert look.stdout == "True\n"
    assert before == wal.stat().st_ino
    await session.commit(full_batch(b"2"))
    await log.close()
    reader = SqliteLog.read_only(tmp_path)
    assert await reader.checkpoints() == [b"2"]
    await reader.close()
