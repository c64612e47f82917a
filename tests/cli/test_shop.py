"""The real shop agrees with facts that a few lines compute from the raw file, and with the oracle."""

import csv
import gzip
import json
import os
import random
import re
import shlex
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streams.cli.demo import DEMO_MARKER, SHOP_EVENTS, SHOP_MAP, SHOP_RULES
from tests import oracle
from tests.cli.running import ROOT, TIMEOUT_S, event, lines, process, streams, without_progress

INTENTS = {
    "catalog": 0, "product1": 0, "product2": 0, "cart": 3, "delivery_choice": 3, "delivery_courier": 3,
    "delivery_pickup": 3,
    "payment_choice": 3, "payment_card": 3, "payment_cash": 3, "payment_done": 4,
}  # fmt: skip
MOMENTS = ("know", "go", "do", "buy", "truth", None)
MAPS = [word for pair in SHOP_MAP for word in ("--map", pair)]
CHOSEN = 1_000


def raw() -> list[tuple[str, str, int]]:
    """(who, event, milliseconds) of every row."""
    with gzip.open(SHOP_EVENTS, "rt", newline="") as file:
        return [
            (
                row["client_id"],
                row["event"],
                int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp() * 1000 // 1),
            )
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's events in a data directory of three partitions."""
    directory = tmp_path_factory.mktemp("shop") / "data"
    result = streams(
        "replay",
        SHOP_EVENTS,
        "--format",
        "csv",
        *MAPS,
        "--rules",
        SHOP_RULES,
        "--data-dir",
        directory,
        "--partitions",
        3,
    )
    assert result.exit_code == 0, result.stderr
    assert "23,202 events replayed" in result.stderr
    return directory


def test_the_funnel_agrees_with_the_raw_file(shop: Path) -> None:
    """Everybody who paid has converted, everybody with a signal is a
    profile, and every row is accounted for.
    """
    rows, (found,) = raw(), lines("funnel", "--data-dir", shop, "--json")
    assert (
        472 == len({who for who, event, _ in rows if event == "payment_done"}) == found["profiles_converted"]
    )
    assert 2_649 == len({who for who, _, _ in rows})
    assert len({who for who, event, _ in rows if event in INTENTS}) == found["profiles"]
    events = found["events"]
    assert len(rows) == events["received"] == sum(n for name, n in events.items() if name != "received")
    assert len([event for _, event, _ in rows if event not in INTENTS]) == events["no_signal"]
    journeys = found["journeys"]
    assert journeys["opened"] == journeys["open"] + journeys["converted"] + journeys["abandoned"]
    for outcome in ("open", "stalled", "converted", "abandoned", "refunded"):
        assert journeys[outcome] == sum(cohort[outcome] for cohort in found["furthest"].values())


def test_profiles_are_as_the_oracle_says(shop: Path) -> None:
    """The net transitions of a thousand random profiles are those of the oracle, field by field."""
    signals: dict[str, list[oracle.Signal]] = defaultdict(list)
    rows = raw()
    for n, (who, name, at) in enumerate(rows):
        if name in INTENTS:
            signals[who].append(oracle.Signal(at, str(n), INTENTS[name], True, 0, 0, 0, ("",), None))
    timer = oracle.end_of_replay([(who, at) for who, _, at in rows]) - 1
    published: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in lines("transitions", "--data-dir", shop, "--json", "--net"):
        published[step["profile"]].append(step)
    for who in random.Random(1).sample(sorted(signals), CHOSEN):
        expected = [
            (s.kind, stamp(s.at), MOMENTS[-1 if s.from_ is None else s.from_],
            MOMENTS[-1 if s.to is None else s.to], [MOMENTS[m] for m in s.skipped],
             None if s.dwell_ms is None else s.dwell_ms / 1000, stamp(s.opened_at), MOMENTS[s.furthest])
            for s in oracle.transitions(signals[who], timer)
        ]  # fmt: skip
        found = [
            (
                s["kind"],
                s["at"],
                s["from"],
                s["to"],
                s["skipped"],
                s["dwell_s"],
                s["opened_at"],
                s["furthest"],
            )
            for s in published[f"d:{who}"]
        ]
        assert sorted(expected, key=str) == sorted(found, key=str), who


def stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def test_it_verifies(shop: Path) -> None:
    """verify finds no difference, and prints how much it compared."""
    result = streams("verify", "--data-dir", shop)
    assert (0, "") == (result.exit_code, without_progress(result.stderr))
    (found,) = lines("funnel", "--data-dir", shop, "--json")
    net = len(lines("transitions", "--data-dir", shop, "--json", "--net"))
    compared = f"equal: 23202 records, {found['profiles']} profiles, {net} transitions, 0 cues, "
    assert re.fullmatch(re.escape(compared) + r"[1-9]\d+ counters\n", result.stdout)


def test_replayed_again_it_changes_nothing(shop: Path) -> None:
    """A second replay of a file appends nothing."""
    before = lines("funnel", "--data-dir", shop, "--json")
    result = streams(
        "replay", SHOP_EVENTS, "--format", "csv", *MAPS, "--rules", SHOP_RULES, "--data-dir", shop
    )
    assert "0 events replayed" in result.stderr
    assert "23,202 had been replayed before" in result.stderr
    assert before == lines("funnel", "--data-dir", shop, "--json")


def test_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo fits 100 columns, replaces an earlier demo, and the commands
    that it suggests work as they are printed.
    """
    data_dir = tmp_path / ("a-path-as-long-as-a-line" * 4)
    data_dir.mkdir()
    for file in (DEMO_MARKER, "left-over"):
        (data_dir / file).touch()
    demo = process("demo", "--data-dir", data_dir)
    out, err = demo.communicate(timeout=TIMEOUT_S)
    assert (0, "") == (demo.returncode, without_progress(err.decode()))
    assert not (data_dir / "left-over").exists()
    text = out.decode()
    assert "472 of them bought (18.5%)" in text
    assert "these shoppers are made up" in text
    stitched = text.split("With identity on, it is u:user-")[1].split("Try next")[0]
    assert len(set(re.findall(r"on\s+(device-\S+)", stitched))) == 2
    assert "converted" in stitched
    assert max(map(len, text.split("Try next")[0].replace(str(data_dir), "").splitlines())) <= 100
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^streams (.*?)\s*$", text.split("Try next")[1], re.MULTILINE)
    assert [
        "journey",
        "journey",
        "transitions",
        "funnel",
        "verify",
        "explain",
        "run",
        "dashboard",
        "demo",
    ] == [command.split()[0] for command in commands]
    *asked, running, page, live = commands
    assert ["dashboard", "--data-dir", str(data_dir)] == shlex.split(page)  # tests/dashboard serves one
    assert ["demo", "--serve", "--data-dir", str(data_dir)] == shlex.split(live)  # so does test_demo_live
    for command in asked:
        result = streams(*shlex.split(command))
        assert 0 == result.exit_code, (command, result.stderr)
    assert running.endswith(" < events.jsonl")
    own = process(
        *running.split()[:-2],
        stdin=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    own.communicate(
        (json.dumps(event("ann", "Product Viewed", "10:00:00")) + "\n").encode(), timeout=TIMEOUT_S
    )
    assert 0 == own.returncode


def test_the_demo_replaces_nothing_that_it_did_not_make(shop: Path) -> None:
    """A data directory that no demo made is left as it is."""
    result = streams("demo", "--data-dir", shop)
    assert 2 == result.exit_code
    assert "files that no demo made" in result.stderr
    assert (shop / "log.sqlite").is_file()
