"""Real processes, really killed: whatever happens to them, the numbers are
those of a run that nothing happened to.
"""

import json
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from streams.core.processing.checkpoint import decode_checkpoint
from tests import oracle
from tests.end_to_end import shop
from tests.end_to_end.running import as_published, run, standing, start, step

KILLS = 10
SMALL = {"STREAMS_BATCH": "60"}  # many commits, so that kills fall between and into them


def processed(data_dir: Path) -> int:
    """How many records have been committed so far."""
    file = data_dir / "log.sqlite"
    if not file.exists():
        return 0
    try:
        con = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
        try:
            return sum(
                decode_checkpoint(raw).offset
                for (raw,) in con.execute("SELECT checkpoint FROM partitions WHERE checkpoint IS NOT NULL")
            )
        finally:
            con.close()
    except sqlite3.Error:  # in the middle of being made
        return 0


def replay(data_dir: Path) -> list[str | Path]:
    return [
        "replay",
        shop.FILE,
        "--format",
        "csv",
        *shop.MAP,
        "--rules",
        shop.RULES,
        "--data-dir",
        data_dir,
        "--partitions",
        "2",
    ]


def test_killed_ten_times_and_still_exact(tmp_path: Path) -> None:
    """kill -9 in mid-run KILLS times, the same command started again each time: the oracle's
    transitions, once each, and no event counted twice.
    """
    rnd, killed, total = random.Random(20), 0, len(shop.rows())
    while killed < KILLS:
        process = start(*replay(tmp_path), **SMALL)
        # by progress and not by time, so that it is the same on any machine:
        # somewhere in the next part of the input
        kill_at = (killed + rnd.random()) / KILLS * total * 0.95
        while process.poll() is None and processed(tmp_path) < kill_at:
            time.sleep(0.01 + rnd.random() * 0.02)
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        process.communicate()
        killed += 1
    assert processed(tmp_path) < total
    run(*replay(tmp_path))

    by = shop.signals()
    timer = oracle.end_of_replay([(who, shop.at_ms(timestamp)) for who, _, timestamp in shop.rows()]) - 1
    said = [(t["profile"], step(t)) for t in standing(tmp_path)]
    expected = {
        (person, as_published(s))
        for person, signals in by.items()
        for s in oracle.transitions(signals, timer)
    }
    assert len(said) == len(set(said))
    assert set(said) == expected
    assert json.loads(run("funnel", "--data-dir", tmp_path, "--json"))["events"]["received"] == len(
        shop.rows()
    )
    run("verify", "--data-dir", tmp_path)
    check_prefixes(tmp_path)


def check_prefixes(data_dir: Path) -> None:
    """Per id, asserts minus retracts is 0 or 1 after every record, and (id, rev) never repeats."""
    standing: set[str] = set()
    seen: set[tuple[str, int]] = set()
    for line in run("transitions", "--data-dir", data_dir, "--json").splitlines():
        t = json.loads(line)
        assert (t["id"] in standing) == (t["op"] == "retract")
        standing ^= {t["id"]}
        assert (t["id"], t["rev"]) not in seen
        seen.add((t["id"], t["rev"]))


@pytest.mark.parametrize("ahead", [0, 1, 5_000])
def test_two_processes_on_one_directory(tmp_path: Path, ahead: int) -> None:
    """The one that opened last goes on; the other says so and exits 4, or had finished.

    What is stored is right. Also when both start at once.
    """
    first = start(*replay(tmp_path), **SMALL)
    while first.poll() is None and processed(tmp_path) < ahead:
        time.sleep(0.02)
    second = start(*replay(tmp_path), **SMALL)
    errors = [process.communicate(timeout=600)[1] for process in (first, second)]
    codes = sorted([first.returncode, second.returncode])
    assert codes in ([0, 0], [0, 4]), errors
    assert all("Traceback" not in text for text in errors)
    if 4 in codes:
        assert any("nother" in text for text in errors)
    run(*replay(tmp_path))
    run("verify", "--data-dir", tmp_path)
    assert json.loads(run("funnel", "--data-dir", tmp_path, "--json"))["events"]["received"] == len(
        shop.rows()
    )
