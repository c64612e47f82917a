"""The dashboard as a server: where it listens, and how it ends."""

import asyncio
import json
import os
import socket
import urllib.request
from pathlib import Path

import pytest

from streams.dashboard.serving import Dashboard
from streams.dashboard.stories import StoriesOfLog
from streams.errors import ConfigError
from streams.log.memory import MemoryLog
from streams.log.port import EmbeddedReader
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.host import DashboardSettings
from streams.settings.tables import Settings
from tests.cli.running import SMALL, process, streams, write
from tests.commands_on_pages import command
from tests.dashboard.asking import TOKEN, shown
from tests.kafka.waiting import eventually
from tests.queries.written import RULES, SHOP, did


def dashboard(log: EmbeddedReader, **settings: object) -> Dashboard:
    found = DashboardSettings.model_validate({"port": 0, **settings})
    return Dashboard("shop", log, StoriesOfLog(log), found, print)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "shop.example"])
def test_elsewhere_it_needs_a_token(host: str) -> None:
    """Before it listens to anybody."""
    with pytest.raises(ConfigError, match=r"dashboard\.token: set STREAMS_DASHBOARD__TOKEN"):
        dashboard(MemoryLog(1), host=host)
    assert dashboard(MemoryLog(1), host=host, token=TOKEN)


async def test_what_cannot_be_listened_to_is_named() -> None:
    """A port that is taken, an address of another machine, a name that nobody has."""
    first = dashboard(MemoryLog(1))
    port = int((await first.start(Settings().fold)).split(":")[2].strip("/"))
    with pytest.raises(ConfigError, match=f"port = {port}: is taken"):
        await dashboard(MemoryLog(1), port=port).start(Settings().fold)
    first.close()
    with pytest.raises(ConfigError, match="cannot be served there"):
        await dashboard(MemoryLog(1), host="192.0.2.1", token=TOKEN).start(Settings().fold)


async def test_what_is_committed_reaches_a_listener() -> None:
    """Over a real connection, which ends when the process is asked to stop."""
    log = await shown(SHOP)
    served, stop = dashboard(log, root_path="/journeys"), asyncio.Event()
    address = await served.start(Settings().fold)
    assert address.endswith("/journeys/")
    serving = asyncio.create_task(served.serve(stop))
    host, port = address.removeprefix("http://").partition("/")[0].split(":")
    reading, writing = await asyncio.open_connection(host, int(port))
    writing.write(b"GET /api/stream?range=7d HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reading.readuntil(b"event: overview\n")
    agent = await PartitionAgent.open(log, 0, Settings(), RULES)
    await log.append([NewRecord(0, None, did("u:gil", "look", 6 * 1440), 2_000_000_000_000)])
    await agent.catch_up()
    await reading.readuntil(b"event: steps\n")
    steps = await reading.readuntil(b"u:gil")
    assert b'"kind":"opened"' in steps
    stop.set()
    await serving
    assert b"0\r\n\r\n" == (await reading.read())[-5:]
    writing.close()


def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """It names its address, and ends with 0."""
    directory = tmp_path / "data"
    assert 0 == streams("replay", write(tmp_path / "events.jsonl", SMALL), "--data-dir", directory).exit_code
    words = command("streams dashboard --data-dir", **{"data/demo": str(directory)})
    running = process(*words[1:], "--port", 0)
    assert running.stderr is not None
    line = running.stderr.readline().decode()
    assert line.startswith(f"the data directory {directory}: http://127.0.0.1:"), line
    address = line.split(": ")[1].split(" ")[0]
    page = urllib.request.urlopen(address).read()
    assert b"<title>Journeys, live</title>" in page
    body = json.dumps({"key": "ann"}).encode()
    with urllib.request.urlopen(f"{address}api/profiles", data=body) as answer:
        assert "u:ann" == json.load(answer)["profiles"][0]["profile"]
    running.terminate()
    _, rest = running.communicate(timeout=60)
    assert (0, b"") == (running.returncode, rest)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--host", "0.0.0.0"), "dashboard.host = 0.0.0.0: other machines could see the page"),
        (("--port", "70000"), "dashboard.port"),
        (("--root-path", "/a b"), "dashboard.root_path"),
        (("--data-dir", "x", "--kafka", "h:1"), "give either the directory or the other two"),
        (("--data-dir", "nowhere"), "nowhere"),
    ],
    ids=["elsewhere", "port", "path", "both logs", "no log"],
)
def test_a_wrong_option_is_named(
    options: tuple[str, ...], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with exit code 2."""
    monkeypatch.chdir(tmp_path)
    assert 0 == streams("replay", write(tmp_path / "events.jsonl", SMALL)).exit_code
    result = streams("dashboard", *options)
    assert (2, True) == (result.exit_code, text in result.stderr), result.stderr


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without showing it."""
    monkeypatch.setenv("STREAMS_DASHBOARD__TOKEN", "swordfish")
    result = streams("dashboard", "--data-dir", tmp_path)
    assert (2, True) == (result.exit_code, "at least 16 characters" in result.stderr)
    assert "swordfish" not in result.stderr


def test_a_run_serves_the_page_until_it_ends(tmp_path: Path) -> None:
    """The page shows what the run has processed, and ends with it, however the run ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = write(tmp_path / "events.jsonl", SMALL)
    environment = os.environ | {"STREAMS_DASHBOARD__PORT": str(port)}
    running = process("run", source, "--data-dir", tmp_path / "data", "--serve", env=environment)
    address = f"http://127.0.0.1:{port}"

    def is_answered() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/api/funnel") as answer:
                return bool(json.load(answer)["report"]["journeys"]["opened"] == 2)
        except OSError:
            return False

    def has_ended() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    eventually(is_answered, "the page shows both journeys")
    running.kill()
    running.wait()
    eventually(has_ended, "nobody listens any more")
    running.communicate()
