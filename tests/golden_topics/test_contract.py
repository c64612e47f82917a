"""What docs/contract.md promises, read off the golden records as a consumer would, without the program."""

from collections import Counter
from typing import Any, get_args

from schemas import Unmatched
from tests.golden_topics import stored

TRANSITIONS = [record["value"] for record in stored("transitions")]
STANDING: dict[str, dict[str, Any]] = {}
for step in TRANSITIONS:
    STANDING[step["id"]] = step
TRUE_NOW = [step for step in STANDING.values() if step["op"] == "assert"]


def test_revisions_grow() -> None:
    """Each transition record has a greater `rev` than the one before."""
    assert list(range(1, len(TRANSITIONS) + 1)) == [step["rev"] for step in TRANSITIONS]


def test_asserts_and_retracts_take_turns() -> None:
    """Of each id, beginning with an assert; a retract carries all of what it takes back. (Which move it was
    written for is no part of that.)
    """
    last: dict[str, dict[str, Any]] = {}
    for record in TRANSITIONS:
        step = {name: value for name, value in record.items() if name != "moved_from"}
        before = last.get(step["id"], {"op": "retract"})
        assert before["op"] != step["op"]
        if step["op"] == "retract":
            assert before | {"op": "retract", "rev": step["rev"]} == step
        last[step["id"]] = step
    assert "retract" in {step["op"] for step in TRANSITIONS}


def test_counters_are_the_sum_of_what_stands() -> None:
    """The last `all` counters of transitions are what the standing ones add up to;
    unmatched refunds are told by counters alone.
    """
    last = {record["key"]: record["value"] for record in stored("tallies")}
    cells = [
        cell for cell in last.values() if cell and (cell["window"], cell["measure"]) == ("all", "transitions")
    ]
    matched = [cell for cell in cells if cell["kind"] not in get_args(Unmatched)]
    counted = Counter(
        {(c["kind"], c.get("from"), c.get("to"), *c["dimensions"].values()): c["count"] for c in matched}
    )
    assert counted == Counter(
        (step["kind"], step["from"], step["to"], *step["dimensions"].values()) for step in TRUE_NOW
    )


def test_finished_journeys_come_once_and_agree() -> None:
    """Each closed journey and each refund has one record, and says what the standing transitions say."""
    records = [record["value"] for record in stored("journeys")]
    about = ("record", "profile", "need", "journey", "outcome", "kind", "event", "value_minor", "currency")
    found = Counter(tuple(record.get(field) for field in about) for record in records)
    said = []
    for step in TRUE_NOW:
        whose, money = (
            (step["profile"], step["need"], step["journey"]),
            (step.get("value_minor"), step.get("currency")),
        )
        if step["kind"] in ("converted", "abandoned"):
            said.append(("journey", *whose, step["kind"], None, None, *money))
        elif step["kind"] in ("partially_refunded", "refunded"):
            said.append(("refund", *whose, None, step["kind"], step["event"], *money))
    assert Counter(said) == found
    assert {1} == set(found.values())


def test_the_standing_leads_to_the_transitions() -> None:
    """Each `current` record says how the latest journey of each need had ended when it was written; when all
    is over, nothing is left.
    """
    left = {}
    for topic in ("current", "current_devices"):
        for record in stored(topic):
            value = left[topic, record["key"]] = record["value"]
            if value is not None:
                said = {need["journey"]: need["outcome"] for need in value["needs"]}
                assert said == {journey: _ended(value["rev"]).get(journey) for journey in said}
                assert said or value.get("person")
    assert {None} == set(left.values())


def _ended(rev: int) -> dict[str, str]:
    """How journeys had ended, by their ids, after the record with this `rev`."""
    standing = {step["id"]: step for step in TRANSITIONS if step["rev"] <= rev}.values()
    return {
        step["journey"]: step["kind"]
        for step in sorted(standing, key=lambda step: step["at"])
        if step["op"] == "assert" and step["kind"] in ("converted", "abandoned", "refunded")
    }


def test_keys_are_bare_ids() -> None:
    """The key of each record about a person is their id, without `u:` or `d:`."""
    for topic in ("transitions", "current", "current_devices", "journeys"):
        said = {(record["key"], record["value"]["profile"]) for record in stored(topic) if record["value"]}
        assert said
        assert all(profile[2:] == key for key, profile in said)
    assert all(record["headers"]["profile"][2:] == record["key"] for record in stored("late"))
