"""A finite replay has no late events: in what order rows and files are shows in nothing that it publishes.

Law: for any order of the rows, however they are spread over files, and wherever the replay was killed in
between, the same transitions hold, the same journeys are final and the same counters are published. Where the
rows are sorted in one go, all topics are the same byte for byte.
"""

import gzip
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from streams.core.moments.rules import default_rules
from streams.errors import InputError, Unavailable
from streams.runtime.embedded import Embedded
from streams.settings.tables import Settings
from streams.sources import sorting
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat
from tests.laws.replays import outcome, published, replay
from tests.laws.test_end_of_input import call, file_of_events
from tests.oracle import DAY, HOUR

START = 1_577_836_800_000
SEEDS = range(5)
UNREADABLE = (b"{", b"no JSON", b'{"type": "track", "event": "Nobody", "timestamp": "2020-01-05T00:00:00Z"}')


def rows_of(path: Path, rnd: random.Random) -> list[bytes]:
    """Events of a month and of clocks that are ahead, some of several people in a record, a copy of some, and
    records that cannot be read.
    """
    file_of_events(path, rnd, rnd.choice((12, 40)))
    rows = path.read_bytes().splitlines()
    # A phone that was offline for days sends all at once.
    offline = [call("p3", START + n * DAY, f"offline{n}", "Product Viewed") for n in range(8)]
    rows.append(msgspec.json.encode({"batch": offline}))
    return [*rows, *rnd.sample(rows, 5), *UNREADABLE, UNREADABLE[0]]


def spread(directory: Path, rows: Sequence[bytes], rnd: random.Random) -> list[Path]:
    """Writes rows into some files, plain and compressed, and returns the files or their directory."""
    directory.mkdir()
    paths = [directory / f"{n}.jsonl" for n in range(rnd.choice((1, 2, 4)))]
    files: list[list[bytes]] = [[] for _ in paths]
    for row in rows:
        rnd.choice(files).append(row)
    for path, lines in zip(paths, files, strict=True):
        content = b"".join(line + b"\n" for line in lines)
        path.write_bytes(gzip.compress(content) if rnd.random() < 0.3 else content)
    rnd.shuffle(paths)
    return [directory] if rnd.random() < 0.5 else paths


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_order_shows(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any order of rows and files, any number of partitions, any end in between: all is the same, and no
    event is late.
    """
    rnd = random.Random(seed)
    monkeypatch.setattr(sorting, "MAX_MERGED", 3)
    monkeypatch.setattr(sorting, "RUN_BYTES", rnd.choice((2_000, 20_000, 1 << 20)))
    rows = rows_of(tmp_path / "clicks", rnd)
    found, records = [], []
    for number in range(3):
        rnd.shuffle(rows)
        paths = spread(tmp_path / f"in{number}", rows, rnd)
        data_dir, partitions = tmp_path / f"out{number}", rnd.choice((1, 1, 3))
        is_killed = rnd.random() < 0.5
        if is_killed:
            await replay(paths, data_dir, partitions, killed_after=rnd.randrange(1, 4))
            rnd.shuffle(rows)
            paths = spread(tmp_path / f"again{number}", rows, rnd)
        replayed = await replay(paths, data_dir, partitions)
        assert replayed is not None
        assert len(rows) == replayed.records + replayed.skipped
        found.append(await outcome(data_dir))
        if partitions == 1 and not is_killed:  # a start changes the order in which profiles are looked at
            records.append(await published(data_dir))
    assert 0 == found[0].funnel.events.late
    assert found[0].funnel.events.rejected >= len(UNREADABLE)
    assert found[0] == found[1] == found[2]
    assert all(record == records[0] for record in records)


@pytest.mark.parametrize("seed", SEEDS)
async def test_little_disorder_stays_and_shows_in_nothing_that_holds(seed: int, tmp_path: Path) -> None:
    """Rows that are out of order by less than half the allowed lateness are appended as they are given. A
    replay of them that was killed goes on, also when they are given in quite another order.
    """
    rnd = random.Random(seed)
    lines = [
        msgspec.json.encode(
            call(f"p{rnd.randrange(30)}", START + n * HOUR - rnd.randrange(23) * HOUR, f"m{n}", name)
        )
        for n, name in enumerate(rnd.choices(("Product Viewed", "Product Added", "Order Completed"), k=200))
    ]
    (tmp_path / "nearly").write_bytes(b"\n".join(lines))
    nearly = await replay([tmp_path / "nearly"], tmp_path / "one")
    assert nearly is not None
    assert not nearly.is_sorted
    rnd.shuffle(lines)
    (tmp_path / "shuffled").write_bytes(b"\n".join(lines))
    await replay([tmp_path / "nearly"], tmp_path / "two", killed_after=rnd.randrange(1, 6))
    await replay([tmp_path / "shuffled"], tmp_path / "two", killed_after=rnd.choice((1, 2, None)))
    await replay([tmp_path / rnd.choice(("nearly", "shuffled"))], tmp_path / "two")
    shuffled = await replay([tmp_path / "shuffled"], tmp_path / "three")
    assert shuffled is not None
    assert shuffled.is_sorted
    one = await outcome(tmp_path / "one")
    assert 0 == one.funnel.events.late
    assert one == await outcome(tmp_path / "two") == await outcome(tmp_path / "three")


async def test_the_same_rows_are_replayed_once(tmp_path: Path) -> None:
    """Whatever their order and their files, they are known again."""
    rnd = random.Random(1)
    rows = rows_of(tmp_path / "clicks", rnd)
    assert await replay(spread(tmp_path / "first", rows, rnd), tmp_path / "data") is not None
    before = await published(tmp_path / "data")
    rnd.shuffle(rows)
    again = await replay(spread(tmp_path / "second", rows, rnd), tmp_path / "data")
    assert again is not None
    assert (0, len(rows)) == (again.records, again.skipped)
    assert before == await published(tmp_path / "data")


async def test_what_does_not_fit_is_not_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room on the disk is an error that says how much it takes; nothing was appended then."""
    rnd = random.Random(2)
    rows = rows_of(tmp_path / "clicks", rnd)
    rnd.shuffle(rows)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000))
    with pytest.raises(Unavailable, match=r"sorting them takes .* GB in .*, where 0\.0 GB are free"):
        await replay(spread(tmp_path / "in", rows, rnd), tmp_path / "data")
    monkeypatch.undo()
    replayed = await replay([tmp_path / "in"], tmp_path / "data")
    assert replayed is not None
    assert (len(rows), 0, True, None) == replayed


def test_a_directory_without_files_is_an_error(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(InputError, match="there is no file in"):
        FiniteInput([tmp_path], InputFormat())


def test_a_pipe_is_no_finite_input(tmp_path: Path) -> None:
    """It can be read only once, so nothing would be left of it after the look."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is no file: a replay reads its input twice"):
        FiniteInput([tmp_path / "pipe"], InputFormat())


@pytest.mark.parametrize("is_sorted", [False, True])
async def test_a_file_that_changes_meanwhile(tmp_path: Path, is_sorted: bool) -> None:
    """Rows that came after the look are not taken under the name of the others, and rows that are gone are
    missed.
    """
    days = (9, 1, 5) if is_sorted else (1, 2, 3)
    rows = [msgspec.json.encode(call("p", START + day * DAY, f"m{day}", "Product Viewed")) for day in days]
    path = tmp_path / "clicks"
    path.write_bytes(b"\n".join(rows))
    embedded = await Embedded.open(Settings(data_dir=tmp_path / "data"), default_rules())
    given = FiniteInput([path], InputFormat())
    embedded.look(given)
    path.write_bytes(rows[0])
    with pytest.raises(InputError, match="they had 3 rows then, and have 1 now"):
        await embedded.replay(given, lambda progress: None)
    await embedded.close()
