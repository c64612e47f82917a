"""Every question has the same answer about an app on a broker as about a data directory of its events."""

import asyncio
import json
import shlex
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from streams.core.moments.rules import load_rules
from streams.core.processing.checkpoint import STATE_FORMAT, Checkpoint, encode_checkpoint
from streams.log.kafka.client import Cluster
from streams.log.port import Log
from streams.log.sqlite.log import SqliteLog
from streams.records import Batch, Output
from streams.settings.tables import Settings
from tests.cli.running import ROOT, process, streams
from tests.kafka import topics
from tests.kafka.asked import AskedLogs, same_shop
from tests.kafka.broker import bootstrap
from tests.queries.written import DAY, RULES, SHOP, did

CAR, COFFEE = {"about": "car"}, {"about": "coffee"}
ABOUT = (
    did("u:gil", "look", 5 * DAY + 2, properties=CAR), did("u:gil", "cart", 5 * DAY + 3, properties=CAR),
    did("u:gil", "look", 5 * DAY + 4, properties=COFFEE), did("d:hal", "look", 5 * DAY + 5, properties=CAR),
)  # fmt: skip
"""What people did about something."""

LINES = (
    ["funnel", "--json"],
    ["funnel", "--json", "--by", "device"],
    ["funnel", "--json", "--last", "1h", "--until", "2024-05-06T01:00:00Z", "--by", "channel"],
    ["funnel", "--json", "--last", "2h", "--until", "2024-05-01T02:00:00Z"],
    ["funnel", "--json", "--need", "car", "--by", "device"],
    ["funnel", "--json", "--need", "car", "--last", "3m", "--until", "2024-05-06T00:05:00Z"],
    ["journey", "ann", "--json"],
    ["journey", "u:gil", "--json"],
    ["journey", "hal", "--json"],
    ["journeys", "--json"],
    ["transitions", "--json"],
    ["transitions", "--json", "--net", "--kind", "opened"],
    ["transitions", "--json", "--limit", "3"],
    ["rejected", "--json"],
    ["late", "--json"],
    ["late", "--json", "--since", "1h"],
    ["rejected", "--json", "--since", "1h", "--limit", "1"],
    ["transitions", "--json", "--since", "2024-05-06T00:01:00Z"],
    ["transitions", "--json", "--since", "2024-05-01T00:05:00Z", "--until", "2024-05-01T00:06:00Z"],
    ["transitions", "--json", "--net", "--until", "2024-05-02T00:00:00Z", "--limit", "2"],
    ["journeys", "--json", "--until", "2024-05-01T00:06:00.001Z"],
    ["why", "ann", "--json"],
    ["why", "d:hal", "--json"],
    ["verify", "--json"],
    ["compare-rules", "current", "current", "--json"],
)
NOTHING = (
    ["late", "--json", "--until", "1h"],
    ["rejected", "--json", "--until", "1h"],
    ["transitions", "--json", "--since", "1h"],
    ["journeys", "--json", "--until", "2024-05-01T00:06:00Z"],
)
TABLES = (
    ["funnel", "--by", "channel"],
    ["funnel", "--last", "1h", "--until", "2024-05-06T02:00:00Z"],
    ["funnel", "--need", "coffee"],
    ["journey", "dan"],
    ["journeys"],
    ["transitions", "--limit", "5"],
    ["rejected"],
    ["late"],
    ["verify"],
    ["compare-rules", "current", "current", "--from", "2024-05-01T00:05:00Z"],
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> AskedLogs:
    bootstrap()
    # (All of it is over within a week: with identity on nothing would be final, nor late.)
    given = Settings(need=("properties.about",), identity={"on": False})
    return same_shop(tmp_path_factory.mktemp("shop"), [*SHOP, *ABOUT], given)


@pytest.mark.parametrize("command", [*LINES, *TABLES], ids=" ".join)
def test_both_logs_give_the_same_answer(shop: AskedLogs, command: list[str]) -> None:
    """What a command prints about an app is, byte for byte, what it prints about a data directory. Lines for
    machines are JSON objects.
    """
    directory, cluster = shop.answers(*command)
    assert (0, "") == (directory.exit_code, directory.stderr)
    assert directory == cluster
    assert directory.stdout
    if command in LINES:
        assert all(isinstance(json.loads(line), dict) for line in directory.stdout.splitlines())


@pytest.mark.parametrize("command", NOTHING, ids=" ".join)
def test_nothing_in_the_range(shop: AskedLogs, command: list[str]) -> None:
    """A range without records is empty, in both logs, and no error."""
    assert shop.answers(*command) == ((0, "", ""), (0, "", ""))


@pytest.mark.parametrize("flags", [(), ("--json",), ("--json", "--samples", "1")], ids=" ".join)
def test_both_logs_are_read_alike_by_other_rules(
    shop: AskedLogs, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """What other rules would make of an app is what they would make of a data directory, byte for byte."""
    less = tmp_path / "less.toml"
    less.write_text(load_rules('extends = "default"\noff = ["cart"]', base=RULES).text)
    directory, cluster = shop.answers("compare-rules", "current", less, *flags)
    assert (1, "") == directory[::2]
    assert directory == cluster
    assert "cart" in directory.stdout


def test_both_logs_are_exported_alike(shop: AskedLogs, tmp_path: Path) -> None:
    """Each table has the same rows."""
    for name, flags in (("directory", shop.directory), ("cluster", shop.cluster)):
        assert 0 == streams("export", *flags, "--parquet", tmp_path / name, "--raw").exit_code
    names = sorted(file.name for file in (tmp_path / "directory").glob("*.parquet"))
    assert 7 == len(names)
    for name in names:
        directory, cluster = [pq.read_table(tmp_path / log / name) for log in ("directory", "cluster")]
        assert 0 < len(directory) or name.endswith("cues.parquet")
        assert directory.to_pylist() == cluster.to_pylist()


def test_nobody_of_that_name(shop: AskedLogs) -> None:
    """An unknown person is exit code 1, and nothing is printed."""
    for command in ("journey", "why"):
        directory, cluster = shop.answers(command, "nobody", "--json")
        assert (1, "") == cluster[:2]
        assert "nobody of the name 'nobody'" in cluster.stderr
        assert directory == cluster


def test_an_app_that_has_read_nothing_yet() -> None:
    """It has no people and no inputs that it could name. That is an answer, no error."""
    app = topics.new_app(1)
    result = streams("funnel", "--kafka", bootstrap(), "--app", app, "--json")
    assert 0 == result.exit_code, result.stderr
    assert 0 == json.loads(result.stdout)["profiles"]


def test_the_settings_name_the_app(shop: AskedLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says where the app is, as for a worker; --data-dir beats it."""
    monkeypatch.setenv("STREAMS_KAFKA__BOOTSTRAP", bootstrap())
    monkeypatch.setenv("STREAMS_KAFKA__APP", shop.app)
    by_flags = streams("funnel", *shop.cluster, "--json")
    assert by_flags.stdout == streams("funnel", "--json").stdout
    monkeypatch.setenv("STREAMS_KAFKA__APP", "no-such-app")
    assert by_flags.stdout == streams("funnel", "--json", *shop.directory).stdout


def test_an_app_that_does_not_exist(shop: AskedLogs) -> None:
    """It is a wrong command (exit code 2), and the apps that are there are named."""
    result = streams("funnel", "--kafka", bootstrap(), "--app", "no-such-app")
    assert (2, "") == (result.exit_code, result.stdout)
    assert "there is no app no-such-app" in result.stderr
    assert "Apps there: " in result.stderr


@pytest.mark.parametrize("command", [["funnel"], ["journey", "ann"], ["transitions"], ["lag"]], ids=" ".join)
def test_a_log_of_another_release(tmp_path: Path, command: list[str]) -> None:
    """A question about a log with another state format ends with exit code 2, whichever log it is, and says
    which release can answer.
    """
    app = topics.new_app(1)

    async def write() -> None:
        for log in (SqliteLog(tmp_path), topics.log(app, 1)):
            await commit_format(log, STATE_FORMAT + 1)

    asyncio.run(write())
    for flags in (["--data-dir", tmp_path], ["--kafka", bootstrap(), "--app", app]):
        result = streams(*command, *flags)
        assert (2, "") == (result.exit_code, result.stdout)
        assert f"cannot be asked: the state has format {STATE_FORMAT + 1}" in result.stderr


async def commit_format(log: Log, number: int) -> None:
    """Commits a checkpoint of this format."""
    session = await log.open(0)
    await session.restore()
    await session.commit(Batch([], [], encode_checkpoint(Checkpoint(number, b""))))
    await log.close()


@pytest.mark.parametrize("command", [["funnel"], ["lag"], ["app", "describe"]], ids=" ".join)
async def test_a_record_of_another_release(command: list[str]) -> None:
    """The record of an app has a version of its own, and another one ends a question with exit code 2."""
    app = topics.new_app(1)
    producer = Cluster(bootstrap()).producer()
    await producer.start()
    await producer.send_and_wait(f"{app}.app", b'{"type":"app/2"}', app.encode())
    await producer.stop()
    result = await asyncio.to_thread(streams, *command, "--kafka", bootstrap(), "--app", app)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "another release of this program wrote it" in result.stderr


async def test_an_app_with_a_topic_missing() -> None:
    """The topic is named, and nothing is asked for by name: a broker that makes topics would make it."""
    app = topics.new_name()
    await topics.create([new for new in topics.new_topics(app, 1) if new.name != f"{app}.late"])
    result = await asyncio.to_thread(streams, "late", "--kafka", bootstrap(), "--app", app)
    assert (2, "") == (result.exit_code, result.stdout)
    assert f"has no topic {app}.late" in result.stderr
    assert "streams topics apply" in result.stderr


async def test_topics_that_do_not_belong_together() -> None:
    """An app whose topics have different numbers of partitions has nobody's right answers (exit code 3)."""
    app = topics.new_name()
    new = {topic.name: topic for topic in topics.new_topics(app, 1)}
    new[f"{app}.tallies"] = topics.new_topics(app, 2)[[*new].index(f"{app}.tallies")]
    await topics.create([*new.values()])
    result = await asyncio.to_thread(streams, "funnel", "--kafka", bootstrap(), "--app", app)
    assert (3, "") == (result.exit_code, result.stdout)
    assert f"{app}.tallies has 2 partitions" in result.stderr


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has an exit code of its own."""
    monkeypatch.setenv("STREAMS_KAFKA__START_TIMEOUT", "1s")
    result = streams("funnel", "--kafka", "127.0.0.1:1", "--app", "a")
    assert (5, "") == (result.exit_code, result.stdout)
    assert "Is kafka.bootstrap right" in result.stderr


def test_following_an_app() -> None:
    """--follow prints what is there and goes on with what comes in any partition, until it is stopped."""
    app = topics.new_app(3)
    with process("late", "--json", "--follow", "--kafka", bootstrap(), "--app", app) as follow:
        assert follow.stdout is not None
        for number, partition in enumerate((1, 2, 0, 1)):
            asyncio.run(put_late(app, str(number), partition))
            assert b'"value":"%d"' % number in follow.stdout.readline()
        follow.send_signal(signal.SIGINT)


async def put_late(app: str, value: str, partition: int) -> None:
    """Writes one late record, as the agent of this partition does."""
    headers = {
        "reason": "lateness", "late_s": "1.0", "profile": "u:ann", "event": "e",
        "at": "2024-05-01T00:00:00.000Z",
        "topic": f"{app}.events", "partition": "0", "offset": "0", "index": "0",
    }  # fmt: skip
    log = topics.log(app, 3)
    session = await log.open(partition)
    await session.restore()
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    late = Output("late", b"u:ann", value.encode(), encoded)
    await session.commit(Batch([late], [], encode_checkpoint(Checkpoint(STATE_FORMAT, b""))))
    await log.close()


def test_the_questions_on_the_page(shop: AskedLogs) -> None:
    """docs/operations.md shows questions to an app: each is answered."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## Ask the app")[2]
    typed = page.partition("```\n")[2].partition("```")[0].splitlines()
    assert 5 == len(typed)
    for line in typed:
        _, *command = shlex.split(
            line.replace("$KAFKA", bootstrap()).replace("--app shop", f"--app {shop.app}")
        )
        result = streams(*command)
        known = 1 if "u:4711" in line else 0  # nobody of that name is in this shop
        assert (known, "") == (result.exit_code, "" if known else result.stderr), line
