"""What `streams cues` prints for people and for machines."""

from pathlib import Path
from typing import get_args

import pytest

from schemas.kinds import CueName
from tests.cli.running import event, lines, streams, write


@pytest.fixture
def troubled(tmp_path: Path) -> Path:
    """A data directory with somebody who meets trouble, and somebody who never had a journey."""
    records = [
        event("ann", "Products Searched", "10:00:00", properties={"query": "best lamp", "results": 0}),
        event("ann", "Coupon Denied", "10:05:00"),
        event("ann", "Form Error", "10:07:00"),
        event("ann", "Order Completed", "10:10:00", properties={"order_id": "1"}),
        event("bob", "$web_vitals", "10:11:00", properties={"$web_vitals_LCP_value": 4100}),
    ]
    data = tmp_path / "troubled"
    assert 0 == streams("replay", write(tmp_path / "troubled.jsonl", records), "--data-dir", data).exit_code
    return data


def test_cues_for_machines(troubled: Path) -> None:
    """cues prints each one with its journey and moment; --cue, --net and the times choose among them."""
    found = lines("cues", "--data-dir", troubled, "--json")
    assert [("zero_results", "know"), ("coupon_denied", "buy"), ("form_error", "buy")] == [
        (cue["cue"], cue["moment"]) for cue in found
    ]
    assert found == lines("cues", "--data-dir", troubled, "--json", "--net")
    assert found[1:2] == lines("cues", "--data-dir", troubled, "--json", "--cue", "coupon_denied")
    assert found[:1] == lines("cues", "--data-dir", troubled, "--json", "--until", "2024-05-20T10:05:00Z")


def test_cues_that_there_are(troubled: Path) -> None:
    """--cue takes the cues of the contract and no others."""
    result = streams("cues", "--data-dir", troubled, "--cue", "sold_out")
    assert 2 == result.exit_code
    assert ", ".join(get_args(CueName)) in result.stderr


def test_cues_for_people(troubled: Path) -> None:
    """They are shown by themselves, in a journey, in the funnel and among the reasons; nothing is wrong."""
    shown = {name: streams(name, *given, "--data-dir", troubled).stdout for name, given in (
        ("cues", ()), ("journey", ("ann",)), ("why", ("ann",)), ("funnel", ()), ("verify", ()),
    )}  # fmt: skip
    assert "3 cues" in shown["cues"]
    assert all("coupon_denied" in text for name, text in shown.items() if name != "verify")
    assert "3 cues" in shown["verify"]
    assert [max(map(len, text.splitlines())) <= 100 for text in shown.values()] == [True] * len(shown)


def test_the_funnel_counts_cues(troubled: Path) -> None:
    """By cue and moment; a cue of nobody's journey is unmatched."""
    (found,) = lines("funnel", "--data-dir", troubled, "--json")
    assert {
        "coupon_denied": {"buy": 1},
        "form_error": {"buy": 1},
        "slow_page": {"unmatched": 1},
        "zero_results": {"know": 1},
    } == found["cues"]
