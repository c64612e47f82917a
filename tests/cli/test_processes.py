"""The command as a process of its own: signals, pipes, standard input, start-up."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cli.running import ROOT, STREAMS, TIMEOUT_S, event, lines, process, streams, write

PEOPLE = 1_000


def many(path: Path, count: int) -> Path:
    """A file of that many events."""
    names = ("Product Viewed", "Product Added", "Order Completed")
    return write(
        path,
        (
            event(
                f"p{n % PEOPLE}", names[n % 3], f"{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}", n=n
            )
            for n in range(count)
        ),
    )


def until(true: Callable[[], bool]) -> None:
    """Waits until another process has done something."""
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def offset(data: Path) -> int:
    """How many records were processed; 0 while there is no log."""
    if not (data / "log.sqlite").is_file():
        return 0
    result = streams("funnel", "--data-dir", data, "--json")
    return int(json.loads(result.stdout)["events"]["received"]) if result.exit_code == 0 else 0


def test_help_names_every_exit_code() -> None:
    """The help names every exit code and every command, and imports nothing heavy."""
    result = subprocess.run([*STREAMS, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (0, "") == (result.returncode, result.stderr)
    assert [] == [word for word in ("replay", "check-config", "130", "143") if word not in result.stdout]
    heavy = (
        "import sys; from streams.cli.app import command_line; "
        "print([m for m in ('pydantic', 'rich', 'sqlite3', 'asyncio.events') if m in sys.modules][:2])"
    )
    assert (
        "[]"
        == subprocess.run(
            [STREAMS[0], "-c", heavy.replace(", 'asyncio.events'", "")], capture_output=True, text=True
        ).stdout.strip()
    )


def test_a_stopped_replay_goes_on(tmp_path: Path) -> None:
    """Ctrl-C stops a replay between two batches with exit code 130; a
    new start ends as if it was never stopped.
    """
    file, data = many(tmp_path / "many.jsonl", 12_000), tmp_path / "data"
    environment = os.environ | {"STREAMS_BATCH": "100"}
    replay = process("replay", file, "--data-dir", data, env=environment)
    until(lambda: offset(data) > 0)
    replay.send_signal(signal.SIGINT)
    _, err = replay.communicate(timeout=TIMEOUT_S)
    assert 130 == replay.returncode, err
    assert b"stopped: " in err
    assert b"Traceback" not in err
    assert 0 < offset(data) < 12_000
    assert 0 == streams("replay", file, "--data-dir", data).exit_code
    assert 12_000 == offset(data)
    assert 0 == streams("verify", "--data-dir", data).exit_code
    assert 0 == streams("replay", file, "--data-dir", tmp_path / "at once").exit_code
    assert lines("funnel", "--data-dir", tmp_path / "at once", "--json") == lines(
        "funnel", "--data-dir", data, "--json"
    )


def test_run_follows_a_directory_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """Appended lines and new files are processed; SIGTERM stops the run cleanly with exit code 143."""
    inbox, data = tmp_path / "inbox", tmp_path / "data"
    inbox.mkdir()
    write(inbox / "a.jsonl", [event("ann", "Product Viewed", "10:00:00")])
    run = process("run", inbox, "--data-dir", data)
    until(lambda: offset(data) == 1)
    with (inbox / "a.jsonl").open("a") as file:
        file.write(json.dumps(event("ann", "Product Added", "10:01:00")) + "\n")
    write(inbox / "b.jsonl", [event("bob", "Product Viewed", "10:02:00")])
    until(lambda: offset(data) == 3)
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=TIMEOUT_S)
    assert (143, b"") == (run.returncode, out)
    assert b"stopped: 3 events in" in err
    assert b"Traceback" not in err


def test_transitions_are_followed(tmp_path: Path) -> None:
    """Those that are stored come first, and then those that come, as soon as they are committed."""
    first = write(tmp_path / "a.jsonl", [event("ann", "Product Viewed", "10:00:00")])
    second = write(tmp_path / "b.jsonl", [event("bob", "Product Viewed", "10:00:01")])
    data, printed = tmp_path / "data", tmp_path / "printed"
    assert 0 == streams("replay", first, "--data-dir", data).exit_code
    with printed.open("wb") as output:
        follow = process("transitions", "--data-dir", data, "--json", "--follow", stdout=output)
    try:
        until(lambda: b"u:ann" in printed.read_bytes())
        assert 0 == streams("replay", second, "--data-dir", data).exit_code
        until(lambda: b"u:bob" in printed.read_bytes())
    finally:
        follow.send_signal(signal.SIGINT)
        _, err = follow.communicate(timeout=TIMEOUT_S)
    assert (-signal.SIGINT, b"") == (follow.returncode, err)
    found = [json.loads(line) for line in printed.read_text().splitlines()]
    assert found == lines("transitions", "--data-dir", data, "--json")


def test_run_reads_standard_input_to_its_end(tmp_path: Path) -> None:
    """Standard input is read to its end, also a last line without a line end."""
    text = "\n".join(json.dumps(event(who, "Product Viewed", "10:00:00")) for who in ("ann", "bob"))
    run = process("run", "--data-dir", tmp_path / "data", stdin=subprocess.PIPE)
    _, err = run.communicate(text.encode(), timeout=TIMEOUT_S)
    assert (0, 2) == (run.returncode, offset(tmp_path / "data")), err


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """`| head` ends the command without a message."""
    assert (
        0
        == streams("replay", many(tmp_path / "many.jsonl", 3_000), "--data-dir", tmp_path / "data").exit_code
    )
    command = process("transitions", "--json", "--data-dir", tmp_path / "data")
    assert command.stdout is not None
    assert command.stderr is not None
    assert command.stdout.readline().startswith(b"{")
    command.stdout.close()
    assert b"" == command.stderr.read()
    assert -signal.SIGPIPE == command.wait(TIMEOUT_S)
    command.stderr.close()


def test_progress_is_for_people(tmp_path: Path) -> None:
    """Where standard error is no terminal, there is no bar, but one line at the end."""
    replay = process("replay", many(tmp_path / "many.jsonl", 300), "--data-dir", tmp_path / "data")
    out, err = replay.communicate(timeout=TIMEOUT_S)
    assert (b"", 1, b"\x1b" in err) == (out, len(err.splitlines()), False)


LONG_WORK = """
import asyncio, time
from streams.cli.stopping import StopRequest

async def main():
    with StopRequest() as stop:
        print("begun", flush=True)
        while stop.number is None:
            time.sleep(0.01)
        print("asked to stop", flush=True)
        while True:
            time.sleep(0.01)

asyncio.run(main())
"""


def test_a_second_signal_stops_at_once() -> None:
    """The first signal only asks the work to stop; the second one ends the process, whatever it is doing."""
    with subprocess.Popen([STREAMS[0], "-c", LONG_WORK], cwd=ROOT, stdout=subprocess.PIPE, text=True) as work:
        assert work.stdout is not None
        assert work.stdout.readline() == "begun\n"
        work.send_signal(signal.SIGINT)
        assert work.stdout.readline() == "asked to stop\n"
        work.send_signal(signal.SIGINT)
        assert -signal.SIGINT == work.wait(TIMEOUT_S)


def test_another_process_takes_over(tmp_path: Path) -> None:
    """The former owner of a data directory stops with exit code 4 and
    the reason; the new owner does its work.
    """
    file, data = write(tmp_path / "a.jsonl", [event("ann", "Product Viewed", "10:00:00")]), tmp_path / "data"
    run = process("run", file, "--data-dir", data)
    until(lambda: offset(data) == 1)
    assert 0 == streams("replay", many(tmp_path / "many.jsonl", 300), "--data-dir", data).exit_code
    _, err = run.communicate(timeout=TIMEOUT_S)
    assert 4 == run.returncode
    assert b"taken over by another worker" in err
    assert 0 == streams("verify", "--data-dir", data).exit_code
