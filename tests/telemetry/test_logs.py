import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from streams.telemetry import logs


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """The log belongs to the process: what a test sets up is taken back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*logs.QUIET, "aiokafka")}
    logging.getLogger("aiokafka").setLevel(
        logging.NOTSET
    )  # commands for clusters silence it in their process
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def said(
    format: Literal["console", "json"] = "json", libraries: Literal["info", "warning"] = "warning"
) -> io.StringIO:
    out = io.StringIO()
    logs.configure(format, libraries=libraries, stream=out)
    return out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_json_line_has_when_how_grave_and_what_first() -> None:
    """One object per line; what it is about follows."""
    out = said()
    logs.get().info("opened", partition=3, records=1_200)
    (line,) = lines(out)
    assert ["at", "level", "event", "partition", "records"] == list(line)
    assert ("info", "opened", 3, 1_200) == tuple(line.values())[1:]
    assert line["at"].endswith("Z")


def test_a_console_line_is_one_line() -> None:
    """For people: the event, and what it is about, in words."""
    out = said("console")
    logs.get().info("died", partition=3, reason="fenced")
    assert 1 == out.getvalue().count("\n")
    assert "died" in out.getvalue()
    assert "partition=3 reason=fenced" in out.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
def test_what_libraries_say_comes_out_in_the_same_form(format: Literal["console", "json"]) -> None:
    """Their warnings with the name of who said it, their chatter not at all."""
    out = said(format)
    logging.getLogger("aiokafka.conn").info("connected to %s", "broker-1")
    logging.getLogger("aiokafka.conn").warning("no answer from %s", "broker-1")
    assert 1 == out.getvalue().count("\n")
    assert "no answer from broker-1" in out.getvalue()
    assert "aiokafka.conn" in out.getvalue()


def test_what_repeats_itself_is_held_back_and_counted() -> None:
    """The same thing said with other words in its places is the same thing; another thing is not."""
    out = said()
    log = logging.getLogger("aiokafka")
    for broker in range(5):
        log.warning("no answer from broker %s", broker)
    log.warning("something else")
    assert ["no answer from broker 0", "something else"] == [line["event"] for line in lines(out)]


def test_after_a_while_it_is_said_again_with_how_often() -> None:
    """Ten seconds later the line says how many there were between."""
    now = 0.0
    held = logs.Repeats(lambda: now)

    def pass_(text: str) -> logging.LogRecord | None:
        record = logging.LogRecord("x", logging.WARNING, "", 0, text, (), None)
        return record if held.filter(record) else None

    assert pass_("a") is not None
    assert [None, None] == [pass_("a"), pass_("a")]
    now = logs.REPEAT_S
    again = pass_("a")
    assert again is not None
    assert 2 == again.__dict__["repeated"]


def test_memory_of_repeats_is_bounded() -> None:
    """A library that puts a new number into each text cannot fill the memory."""
    held = logs.Repeats(lambda: 0.0)
    for n in range(logs.MAX_REPEATS * 3):
        assert held.filter(logging.LogRecord("x", logging.WARNING, "", 0, str(n), (), None))
    assert len(held._said) <= logs.MAX_REPEATS


@pytest.mark.parametrize("name", sorted(logs.QUIET))
def test_what_a_plain_day_says_is_not_said(name: str) -> None:
    """Warnings of a rebalance and of every scrape are heard only when somebody asks for more."""
    out = said()
    logging.getLogger(name).warning("because it is rebalancing")
    assert "" == out.getvalue()
    out = said(libraries="info")
    logging.getLogger(name).warning("because it is rebalancing")
    assert 1 == len(lines(out))


@pytest.mark.parametrize("format", ["console", "json"])
def test_a_traceback_shows_no_values(format: Literal["console", "json"]) -> None:
    """A defect is said with where it was, not with what was at hand: that would be somebody's clicks."""
    out = said(format)

    def step(record: str) -> None:
        raise ZeroDivisionError("in a step")

    try:
        step("u:" + "4711")
    except ZeroDivisionError:
        logs.get().error("died", partition=0, reason="defect", exc_info=True)
    assert "ZeroDivisionError: in a step" in out.getvalue()
    assert "u:4711" not in out.getvalue()


def test_setting_up_twice_says_nothing_twice() -> None:
    """The later one holds, also for a log that was taken before."""
    first, log = said(), logs.get()
    log.info("joined")
    second = said()
    log.info("left")
    logging.getLogger("faust").warning("hm")
    assert ["joined"] == [line["event"] for line in lines(first)]
    assert ["left", "hm"] == [line["event"] for line in lines(second)]
