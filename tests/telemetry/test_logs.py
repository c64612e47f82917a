import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog

from streams.runtime import worker
from streams.telemetry import logs
from tests.telemetry.fixed import FixedClock


@pytest.fixture(autouse=True)
def restored_log() -> Iterator[None]:
    """The log belongs to the process, so what a test sets up is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*logs.MUTED, "aiokafka")}
    logging.getLogger("aiokafka").setLevel(logging.NOTSET)  # commands for clusters mute it in their process
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def configured(
    format: Literal["console", "json"] = "json", libraries: Literal["info", "warning"] = "warning"
) -> io.StringIO:
    out = io.StringIO()
    logs.configure(format, libraries=libraries, stream=out)
    return out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_json_line_begins_with_its_time_level_and_event() -> None:
    """A line is one object; the fields of the event follow."""
    out = configured()
    logs.get().info("opened", partition=3, records=1_200)
    (line,) = lines(out)
    assert ["at", "level", "event", "partition", "records"] == list(line)
    assert ("info", "opened", 3, 1_200) == tuple(line.values())[1:]
    assert line["at"].endswith("Z")


def test_a_console_line_is_one_line() -> None:
    """The event and its fields are in it, in words for people."""
    out = configured("console")
    logs.get().info("died", partition=3, reason="fenced")
    assert 1 == out.getvalue().count("\n")
    assert "died" in out.getvalue()
    assert "partition=3 reason=fenced" in out.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
def test_lines_of_libraries_come_out_in_the_same_form(format: Literal["console", "json"]) -> None:
    """A warning comes with the name of its logger; lines below a warning do not come out."""
    out = configured(format)
    logging.getLogger("faust.transport").info("connected to %s", "broker-1")
    logging.getLogger("faust.transport").warning("no answer from %s", "broker-1")
    assert 1 == out.getvalue().count("\n")
    assert "no answer from broker-1" in out.getvalue()
    assert "faust.transport" in out.getvalue()


def test_a_line_that_repeats_itself_is_held_back() -> None:
    """Lines of one text with other arguments are repetitions; a line of another text is not."""
    out = configured()
    log = logging.getLogger("faust")
    for broker in range(5):
        log.warning("no answer from broker %s", broker)
    log.warning("something else")
    assert ["no answer from broker 0", "something else"] == [line["event"] for line in lines(out)]


def test_after_a_while_the_line_passes_again_with_how_often_it_came() -> None:
    """Ten seconds later the line has the number of those that were held back."""
    clock = FixedClock(0.0)
    held = logs.Repeats(clock)

    def pass_(text: str) -> logging.LogRecord | None:
        record = logging.LogRecord("x", logging.WARNING, "", 0, text, (), None)
        return record if held.filter(record) else None

    assert pass_("a") is not None
    assert [None, None] == [pass_("a"), pass_("a")]
    clock.now_s = logs.REPEAT_S
    again = pass_("a")
    assert again is not None
    assert 2 == again.__dict__["repeated"]


def test_memory_of_repeats_is_bounded() -> None:
    """A library that puts a new number into each text cannot fill the memory."""
    held = logs.Repeats(FixedClock(0.0))
    for n in range(logs.MAX_REPEATS * 3):
        assert held.filter(logging.LogRecord("x", logging.WARNING, "", 0, str(n), (), None))
    assert len(held._passed) <= logs.MAX_REPEATS


@pytest.mark.parametrize("name", sorted(logs.MUTED))
def test_what_a_plain_day_says_is_not_configured(name: str) -> None:
    """Warnings of a rebalance and of every scrape are heard only when somebody asks for more."""
    out = configured()
    logging.getLogger(name).warning("because it is rebalancing")
    assert "" == out.getvalue()
    out = configured(libraries="info")
    logging.getLogger(name).warning("because it is rebalancing")
    assert 1 == len(lines(out))


@pytest.mark.parametrize("format", ["console", "json"])
def test_a_traceback_shows_no_values(format: Literal["console", "json"]) -> None:
    """A defect is logged with its place, but not with the values there: those are somebody's clicks."""
    out = configured(format)

    def step(record: str) -> None:
        raise ZeroDivisionError("in a step")

    try:
        step("u:" + "4711")
    except ZeroDivisionError:
        logs.get().error("died", partition=0, reason="defect", exc_info=True)
    assert "ZeroDivisionError: in a step" in out.getvalue()
    assert "u:4711" not in out.getvalue()


def test_after_a_second_set_up_no_line_comes_twice() -> None:
    """The later one counts, also for a logger that was made before it."""
    first, log = configured(), logs.get()
    log.info("joined")
    second = configured()
    log.info("left")
    logging.getLogger("faust").warning("hm")
    assert ["joined"] == [line["event"] for line in lines(first)]
    assert ["left", "hm"] == [line["event"] for line in lines(second)]


def test_each_event_of_a_worker_is_described() -> None:
    """`LIFE`, which docs/operations.md shows, has each event that the runtime logs, and no other."""
    runtime = Path(worker.__file__).parent
    sources = [file.read_text("utf-8") for file in runtime.glob("*.py")]
    logged = {
        event for text in sources for event in re.findall(r'\b(?:info|warning|error|log)\(\s*"(\w+)"', text)
    }
    assert logs.LIFE.keys() == logged
