"""`streams redrive` takes dead letters of a data directory once more, and says what became of them."""

import signal
import time
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.kinds import Measure
from streams.cli.render.redrive import PARTS
from tests.cli.running import TIMEOUT_S, event, lines, process, streams, write
from tests.cli.test_dead_letters import LATER, replayed

OLD_RULES = 'name = "mine"\n[[event]]\nname = "look"\nmoment = "know"\nconfidence = 0.9\nnames = ["Look"]\n'


def redriven(here: Path, *arguments: object) -> Any:
    """The receipt of a redrive, as JSON."""
    (receipt,) = lines("redrive", *arguments, "--data-dir", here / "data", "--json")
    return receipt


@pytest.mark.parametrize("partitions", [1, 3])
def test_what_was_late_counts(tmp_path: Path, partitions: int) -> None:
    """Its journey is published at its own time, once, and `verify` agrees."""
    replayed(tmp_path, LATER[0], partitions=partitions)
    replayed(
        tmp_path,
        event("zoe", "Product Viewed", "10:00:00"),
        event("max", "Product Added", "11:00:00"),
        partitions=partitions,
    )
    counted = redriven(tmp_path, "late", "--dry-run")
    assert ({"lateness": 2}, {}) == (counted["sent"], counted["ended"])
    found = redriven(tmp_path, "late")
    assert ({"lateness": 2}, {"applied": 2}) == (found["sent"], found["ended"])
    assert 1 == found["of_new_people"], "zoe is held, and max is not"
    assert 1 == found["counters"]["day/2024-05-20/transitions/opened/-/buy/other/other"]
    assert {} == found["under_way"]
    steps = lines("transitions", "--data-dir", tmp_path / "data", "--json")
    assert ["opened", "stalled"] == [step["kind"] for step in steps if step["profile"] == "u:max"]
    again = redriven(tmp_path, "late")
    assert ({}, {"redriven before": 2}, {}) == (again["sent"], again["passed_over"], again["ended"])
    verified = streams("verify", "--data-dir", tmp_path / "data")
    assert verified.exit_code == 0, verified.stdout + verified.stderr


def test_an_amount_of_a_redriven_purchase_that_cannot_be_read(tmp_path: Path) -> None:
    """It is counted, as that of any purchase that counts."""
    replayed(tmp_path, LATER[0])
    replayed(tmp_path, event("zoe", "Order Completed", "10:00:00", properties={"total": "a lot"}))
    assert {"applied": 1} == redriven(tmp_path, "late")["ended"]
    (found,) = lines("funnel", "--data-dir", tmp_path / "data", "--json")
    assert 1 == found["unread_amounts"]
    assert 0 == streams("verify", "--data-dir", tmp_path / "data").exit_code


def test_what_is_final_is_late_again(tmp_path: Path) -> None:
    """An event from before the end of a journey that has its final record changes nothing."""
    replayed(
        tmp_path,
        event("zoe", "Product Viewed", "10:00:00"),
        event("zoe", "Order Completed", "12:00:00"),
        *LATER,
    )
    replayed(tmp_path, event("zoe", "Product Added", "11:00:00"))
    before = lines("journeys", "--data-dir", tmp_path / "data", "--json")
    found = redriven(tmp_path, "late")
    assert ({"late": 1}, {"final": 1}, {}) == (found["ended"], found["refused"], found["counters"])
    assert before == lines("journeys", "--data-dir", tmp_path / "data", "--json")
    assert {"late": 1} == redriven(tmp_path, "late")["ended"], "it may be tried again"


def test_what_could_not_be_read_is_read_by_the_rules_and_settings_now_in_force(tmp_path: Path) -> None:
    """A record that a placeholder made nobody's, and one that an old rule did not know."""
    given = write(tmp_path / "in.jsonl", [LATER[0], event("kiosk", "Look", "10:00:00"), "{"])
    data, config = tmp_path / "data", tmp_path / "streams.toml"
    config.write_text('placeholders = ["kiosk"]\n', encoding="utf-8")
    result = streams("--config", config, "replay", given, "--data-dir", data)
    assert result.exit_code == 0, result.stderr
    config.write_text("", encoding="utf-8")
    (rules := tmp_path / "rules.toml").write_text(OLD_RULES, encoding="utf-8")
    options = ("--config", config, "redrive", "rejected", "--data-dir", data, "--rules", rules, "--json")
    (found,) = lines(*options)
    assert {"applied": 1, "rejected": 1} == found["ended"]
    assert {"undecodable": 1} == found["refused"]
    assert {"undecodable": 1} == redriven(tmp_path, "rejected", "--reason", "undecodable")["sent"]
    assert {} == redriven(tmp_path, "rejected", "--reason", "bad_row", "--from", "1h")["sent"]
    assert {} == redriven(tmp_path, "rejected", "--to", "2020-01-01T00:00:00Z")["sent"]


def test_a_cut_record_is_passed_over(tmp_path: Path) -> None:
    """A dead letter without all its bytes cannot be redriven, and the receipt says so."""
    replayed(tmp_path, LATER[0], "x" * 100_000)
    assert {"cut": 1} == redriven(tmp_path, "rejected")["passed_over"]


def test_people_read_the_receipt(tmp_path: Path) -> None:
    """It says how many were applied and refused again, why, and which counters moved."""
    replayed(tmp_path, *LATER, "{")
    replayed(tmp_path, event("max", "Product Viewed", "10:00:00"))
    shown = streams("redrive", "late", "--data-dir", tmp_path / "data").stdout
    assert "1  redriven (1 lateness)" in shown
    assert "1  applied" in shown
    assert "they count as new" in shown
    assert "+1  transitions opened - know" in shown
    replayed(
        tmp_path,
        event(
            "eve",
            "Order Completed",
            "10:00:00",
            properties={"total": 20, "currency": "EUR"},
        ),
        event("eve", "Coupon Denied", "09:59:00"),
        event("eve", "Product Added", "09:58:00"),
    )
    shown = streams("redrive", "late", "--data-dir", tmp_path / "data").stdout
    told = " ".join(shown.split())
    assert "+2,000 revenue converted buy EUR" in told
    assert "+1 cues coupon_denied buy" in told
    shown = streams("redrive", "rejected", "--data-dir", tmp_path / "data").stdout
    assert "1  still cannot be read (1 undecodable)" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("late", "--reason", "bad_row"), "--reason bad_row: no late record has it: write one of lateness"),
        (("late", "--from", "soon"), "--from soon: is no time"),
        (("late", "--from", "1h", "--to", "2h"), "nothing lies between"),
        (("late", "--timeout", "soon"), "--timeout soon: is no duration"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """With the value, and what would be right; exit code 2."""
    result = streams("redrive", *arguments, "--data-dir", tmp_path / "data")
    assert 2 == result.exit_code
    assert message in result.stderr


def test_a_command_that_is_killed_has_done_what_it_sent_once(tmp_path: Path) -> None:
    """Killed at any moment: the next command ends what it began, and nothing counts twice."""
    old = [event(f"p{n}", "Product Viewed", f"10:{n % 60:02d}:00") for n in range(300)]
    replayed(tmp_path, LATER[0])
    replayed(tmp_path, *old)
    data = tmp_path / "data"
    for wait_s in (0.4, 0.8, 1.2):
        running = process("redrive", "late", "--data-dir", data, "--json")
        time.sleep(wait_s)  # a moment, whichever it is
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=TIMEOUT_S)
    redriven(tmp_path, "late")
    opened = [step for step in lines("transitions", "--data-dir", data, "--json") if step["kind"] == "opened"]
    assert 301 == len(opened) == len({step["id"] for step in opened})
    verified = streams("verify", "--data-dir", data)
    assert verified.exit_code == 0, verified.stdout + verified.stderr


def test_why_says_that_an_event_was_redriven(tmp_path: Path) -> None:
    """It caused the steps, although it was late first."""
    replayed(tmp_path, LATER[0])
    replayed(tmp_path, event("max", "Product Viewed", "10:00:00"))
    redriven(tmp_path, "late")
    told = lines("why", "max", "--data-dir", tmp_path / "data", "--json")
    (story, *_) = [one for one in told if one["event"]]
    assert ("applied", "lateness") == (story["ending"], story["reason"])
    assert story["detail"].startswith("it was redriven since; first it was")


def test_every_counter_that_moved_can_be_shown() -> None:
    """The lines add up the cells of each measure, whichever there are."""
    assert {*get_args(Measure)} == {*PARTS}
