"""Whatever bits flip in the file, and wherever it is cut off: no command shows what was not written."""

import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.errors import Unavailable
from streams.log.sqlite import chunks, database
from streams.log.sqlite.damage import PAGE_BYTES
from tests.cli.running import TIMEOUT_S, process, streams, write

CASES = int(os.environ.get("DAMAGES", "25"))
DAMAGED = Unavailable.exit_code
ASKING = (
    ("transitions", "--json"), ("transitions", "--json", "--net"), ("transitions",),
    ("journeys", "--json"), ("rejected", "--json"), ("late", "--json"), ("late",),
    ("funnel", "--json"), ("funnel", "--need", "", "--by", "device", "--json"), ("journey", "u:p7", "--json"),
    ("why", "u:p7", "--json"), ("verify",), ("verify", "--json"), ("lag", "--json"),
)  # fmt: skip
NAMES = ("Product Viewed", "Product Added", "Checkout Started", "Order Completed", "Products Searched")


def _events(people: range, draw: random.Random, month: int) -> Iterator[dict[str, object] | str]:
    """Shoppers of a month in order of time, but for a few who are late, and lines that are no events."""
    for day in range(1, 29):
        for person in people:
            if draw.random() < 0.3:
                at = f"2024-{month:02}-{day:02}T{draw.randrange(24):02}:{draw.randrange(60):02}:00Z"
                late = f"2024-{month - 1:02}-01T00:00:00Z" if draw.random() < 0.05 else at
                yield {
                    "type": "track", "messageId": f"{month}-{day}-{person}", "userId": f"p{person}",
                    "event": draw.choice(NAMES), "timestamp": late, "properties": {"note": "x" * 300},
                }  # fmt: skip
        if draw.random() < 0.3:
            yield "{"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `data`, whose log has many pages, and the files that were put in or may be."""
    here = tmp_path_factory.mktemp("sound")
    draw = random.Random(1)
    write(here / "spring.jsonl", _events(range(40), draw, 3))
    write(here / "more.jsonl", _events(range(40), draw, 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_RECORDS", 16)
        patch.setattr(chunks, "COMPACT_BYTES", 20_000)
        result = streams("replay", here / "spring.jsonl", "--data-dir", here / "data", "--partitions", 3)
    assert result.exit_code == 0, result.stderr
    assert (here / "data" / database.FILE).stat().st_size > 40 * PAGE_BYTES
    return here


def _ask(data: Path, command: tuple[str, ...]) -> tuple[int, str, str]:
    result = streams(*command, "--data-dir", data)
    shown = re.sub(r'"watermark_lag_s":[-0-9.e]+', "", result.stdout)
    return result.exit_code, shown, result.stderr


def _check(found: tuple[int, str, str], right: tuple[int, str, str], command: tuple[str, ...]) -> None:
    """The right answer, or a beginning of it in whole lines and the message."""
    code, shown, said = found
    if code == right[0]:
        assert shown == right[1], command
        return
    assert code == DAMAGED, (command, found)
    assert "The log is damaged: " in said, (command, said)
    assert "replay" in said, (command, said)
    assert right[1].startswith(shown), command
    assert shown == "" or shown.endswith("\n"), command


def _damage(file: Path, draw: random.Random) -> str:
    size = file.stat().st_size
    if draw.random() < 0.15:
        cut = draw.randrange(1, size)
        os.truncate(file, cut)
        return f"cut off after {cut} bytes"
    # Most of a page is content. Its first bytes, the file's, and those of small tables say how to read it.
    start = draw.choice((0, 0, PAGE_BYTES * draw.randrange(size // PAGE_BYTES)))
    at = start + draw.choice((draw.randrange(100), draw.randrange(PAGE_BYTES)))
    bits = draw.choice((1, 1, 2, 255))
    flipped = draw.randrange(1, 256) if bits == 255 else sum(1 << bit for bit in draw.sample(range(8), bits))
    with file.open("r+b") as opened:
        opened.seek(at)
        before = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([before ^ flipped]))
    return f"byte {at}: {before} ^ {flipped}"


@pytest.fixture(scope="module")
def right(sound: Path) -> dict[tuple[str, ...], tuple[int, str, str]]:
    """What the commands print of the sound log."""
    return {command: _ask(sound / "data", command) for command in ASKING}


@pytest.mark.parametrize("seed", range(CASES))
def test_no_command_shows_what_was_not_written(
    sound: Path, right: dict[tuple[str, ...], tuple[int, str, str]], tmp_path: Path, seed: int
) -> None:
    """Each prints what it prints of the sound log, or ends as damaged, after whole and right records only."""
    data = tmp_path / "data"
    shutil.copytree(sound / "data", data)
    where = _damage(data / database.FILE, random.Random(seed))
    for command in ASKING:
        _check(_ask(data, command), right[command], (*command, where))


@pytest.fixture(scope="module")
def right_after(sound: Path) -> dict[tuple[str, ...], tuple[int, str, str]]:
    """What the commands print after more was put in."""
    data = sound / "more"
    shutil.copytree(sound / "data", data)
    assert streams("replay", sound / "more.jsonl", "--data-dir", data).exit_code == 0
    return {command: _ask(data, command) for command in ASKING}


@pytest.mark.parametrize("seed", range(CASES))
def test_what_goes_on_over_damage_is_right_or_ends(
    sound: Path,
    right_after: dict[tuple[str, ...], tuple[int, str, str]],
    tmp_path: Path,
    seed: int,
) -> None:
    """A replay into a damaged log ends as damaged, or writes what it writes into the sound one."""
    data, more = tmp_path / "data", sound / "more.jsonl"
    shutil.copytree(sound / "data", data)
    where = _damage(data / database.FILE, random.Random(1_000 + seed))
    result = streams("replay", more, "--data-dir", data)
    assert result.exit_code in (0, DAMAGED), (where, result.stderr)
    if result.exit_code == DAMAGED:
        assert "The log is damaged: " in result.stderr, where
        return
    for command in ASKING:
        _check(_ask(data, command), right_after[command], (*command, where))


def test_a_run_ends_over_damage(sound: Path, tmp_path: Path) -> None:
    """A run that meets damage in the state ends with the message and the exit code, as all do."""
    data = tmp_path / "data"
    shutil.copytree(sound / "data", data)
    file = data / database.FILE
    content = file.read_bytes()
    assert b"pu:p7\0" in content  # the key of a profile
    file.write_bytes(content.replace(b"pu:p7\0", b"pu:p6\0"))
    running = process("run", "-", "--data-dir", data, stdin=subprocess.DEVNULL)
    shown, said = running.communicate(timeout=TIMEOUT_S)
    assert (running.returncode, shown) == (DAMAGED, b""), said
    assert b"The log is damaged: " in said, said
    assert b"topic state" in said, said


def test_the_message_names_where_and_what_is_safe(sound: Path, tmp_path: Path) -> None:
    """The topic, partition and offsets of the damage; records before it were printed, and are right."""
    data = tmp_path / "data"
    shutil.copytree(sound / "data", data)
    file = data / database.FILE
    last = [
        json.loads(line) for line in streams("transitions", "--json", "--data-dir", data).stdout.splitlines()
    ][-1]
    content = file.read_bytes()
    at = content.rindex(last["id"].encode())
    file.write_bytes(content[:at] + b"#" + content[at + 1 :])
    code, shown, said = _ask(data, ("transitions", "--json"))
    found = re.search(r"topic transitions, partition (\d), offsets? (\d+)", said)
    assert (code, True) == (DAMAGED, found is not None), said
    assert found is not None
    assert f"records before offset {found[2]} are safe" in said
    assert len(shown.splitlines()) > 16
    assert last["id"] not in shown
