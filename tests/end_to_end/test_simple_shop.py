"""The real shop, replayed by the real command: its numbers against the
raw file, its journeys against the oracle.
"""

import json
import random
from pathlib import Path

import pytest

from tests import oracle
from tests.end_to_end import shop
from tests.end_to_end.running import as_published, run, standing, step

SAMPLE = 1_000


@pytest.fixture(scope="module", params=[1, 4], ids=["1 partition", "4 partitions"])
def replayed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("shop")
    run(
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
        str(request.param),
    )
    return data_dir


def test_the_funnel_agrees_with_the_raw_file(replayed: Path) -> None:
    """People who paid are the profiles converted; every row is accounted for; the cohort adds up."""
    rows = shop.rows()
    funnel = json.loads(run("funnel", "--data-dir", replayed, "--json"))
    paid = {client for client, event, _ in rows if event == "payment_done"}
    assert len(paid) == 472
    assert funnel["profiles_converted"] == len(paid)
    assert funnel["profiles"] == len({client for client, event, _ in rows if event != "main"})
    silent = sum(event == "main" for _, event, _ in rows)
    assert funnel["events"] == {
        "received": len(rows), "applied": len(rows) - silent, "refused": 0, "robot": 0, "no_signal": silent,
        "duplicate": 0, "late": 0, "rejected": 0,
    }  # fmt: skip
    journeys = funnel["journeys"]
    assert (
        journeys["opened"] - journeys["converted"] - journeys["abandoned"]
        == journeys["open"]
        >= journeys["stalled"]
        > 0
    )
    for outcome in ("open", "stalled", "converted", "abandoned", "refunded"):
        assert journeys[outcome] == sum(by[outcome] for by in funnel["furthest"].values())


def test_a_thousand_people_equal_the_oracle(replayed: Path) -> None:
    """Every transition of 1,000 people drawn at random, in full."""
    by = shop.signals()
    people = set(random.Random(0).sample(sorted(by), SAMPLE))
    timer = oracle.end_of_replay([(who, shop.at_ms(timestamp)) for who, _, timestamp in shop.rows()]) - 1
    said = {(t["profile"], step(t)) for t in standing(replayed) if t["profile"] in people}
    assert said == {
        (person, as_published(s)) for person in people for s in oracle.transitions(by[person], timer)
    }


def test_verify_finds_it_equal(replayed: Path) -> None:
    """The product's own recomputation agrees too."""
    assert "equal" in run("verify", "--data-dir", replayed)
