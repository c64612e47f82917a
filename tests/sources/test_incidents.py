"""What goes wrong in a made-up shop changes what it says that it changes, and nothing else."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import pytest

from docs.generate import HERE
from streams.queries.instants import ms_of
from streams.sources.generator import MadeRecord, Shop
from streams.sources.incidents import BOTS_EACH, INCIDENTS, Incident
from streams.sources.rhythm import Rhythm

NOW_MS, EVERY_MS, COUNT = 1_750_000_000_000, 50, 40_000
SEED, PEOPLE = 4, 50_000
FIRST, END = 3_000, 37_000  # of the calls in an incident
START_MS, END_MS = NOW_MS + FIRST * EVERY_MS, NOW_MS + END * EVERY_MS
AT_TILL = {"Product Added", "Cart Viewed", "Checkout Started", "Payment Info Entered"}


@cache  # shops send the same
def read(record: MadeRecord) -> dict[str, Any]:
    """The event of a record; {} of what cannot be read."""
    found: dict[str, Any] = msgspec.json.decode(record.value) if record.key else {}
    return found | {"at_ms": ms_of(found["timestamp"])} if found else found


class Sent(NamedTuple):
    """What a shop sends with and without an incident, call by call."""

    usual: Sequence[MadeRecord]
    unusual: Sequence[Sequence[MadeRecord]]

    def calls(self, is_usual: bool) -> list[dict[str, Any]]:
        """What is dated inside of the incident, without copies."""
        records = self.usual if is_usual else chain.from_iterable(self.unusual)
        found = {call["messageId"]: call for record in records if (call := read(record))}
        return [call for call in found.values() if START_MS <= call["at_ms"] < END_MS]

    def how_often(self, event: str, device: str | None = None) -> tuple[int, int]:
        """How often an event came in the incident, on a device, without it and with it."""
        before, after = [
            sum(
                call.get("event") == event and device in (None, call["context"]["device"]["type"])
                for call in self.calls(is_usual)
            )
            for is_usual in (True, False)
        ]
        return before, after


@pytest.fixture(scope="module")
def shops() -> dict[str, Sent]:
    """A shop for each kind of incident; nearly every visit is somebody else's."""
    times = range(NOW_MS, NOW_MS + COUNT * EVERY_MS, EVERY_MS)
    shop = Shop(SEED, 20, PEOPLE)
    usual = [shop.next(now_ms) for now_ms in times]
    found = {}
    for kind in INCIDENTS:
        shop = Shop(SEED, 20, PEOPLE, [Incident(kind, START_MS, END_MS)])
        found[kind] = Sent(usual, [shop.sends(now_ms) for now_ms in times])
    return found


@pytest.mark.parametrize("kind", sorted(INCIDENTS))
def test_outside_of_it_nothing_changes(shops: dict[str, Sent], kind: str) -> None:
    """Byte for byte, but that nothing is given back that was not bought. For the collector it counts when
    events are sent.
    """
    usual, unusual = shops[kind]
    sent = [read(record) for record in chain.from_iterable(unusual)]
    bought = {call["properties"]["order_id"] for call in sent if call.get("event") == "Order Completed"}
    changed, not_given_back = 0, 0
    for n, (record, some) in enumerate(zip(usual, unusual, strict=True)):
        call = read(record)
        time_ms = call["at_ms"] if call and kind != "collector" else NOW_MS + n * EVERY_MS
        if kind != "collector" and call.get("event") == "Order Refunded":
            not_given_back += not some
            assert bool(some) == (call["properties"]["order_id"] in bought)
        elif START_MS <= time_ms < END_MS:
            changed += [record] != list(some)
        else:
            assert [record] == list(some)
    assert 0 < changed
    assert not not_given_back or kind in ("checkout", "slow", "segment")
    assert not_given_back or kind != "checkout"


def test_the_checkout_is_broken(shops: dict[str, Sent]) -> None:
    """One purchase in twenty is left, and the others are failed payments."""
    before, after = shops["checkout"].how_often("Order Completed")
    assert before > 200
    assert 0.02 < after / before < 0.08
    assert before - after == shops["checkout"].how_often("Payment Failed")[1]


def test_mobiles_are_slow(shops: dict[str, Sent]) -> None:
    """Two of five purchases are lost there and twice as many go back; pages say how slow they are."""
    before, after = shops["slow"].how_often("Order Completed", "mobile")
    assert before > 80
    assert 0.5 < after / before < 0.7
    desktop = shops["slow"].how_often("Order Completed", "desktop")
    assert desktop[0] == desktop[1]
    backs = [_returns(shops["slow"].calls(is_usual)) for is_usual in (True, False)]
    assert 1.7 < backs[1] / backs[0] < 2.4
    for call in shops["slow"].calls(False):
        is_slow = call["type"] == "page" and call["context"]["device"]["type"] == "mobile"
        assert is_slow == ("page_load_ms" in call.get("properties", {}))


def _returns(calls: list[dict[str, Any]]) -> int:
    """How often somebody on a mobile looked at a product after something at the till."""
    last: dict[str, str] = {}
    found = 0
    for call in sorted(calls, key=itemgetter("at_ms")):
        if call["context"]["device"]["type"] == "mobile":
            device, event = call["anonymousId"], call.get("event", "")
            found += last.get(device) in AT_TILL and event == "Product Viewed"
            last[device] = event
    return found


def test_tablets_are_away(shops: dict[str, Sent]) -> None:
    """One event in ten is left of them; other devices are as they were."""
    devices = [
        Counter(call["context"]["device"]["type"] for call in shops["segment"].calls(is_usual))
        for is_usual in (True, False)
    ]
    assert 0.05 < devices[1]["tablet"] / devices[0]["tablet"] < 0.2
    assert all(devices[0][name] == devices[1][name] for name in ("mobile", "desktop"))


def test_the_collector_is_off(shops: dict[str, Sent]) -> None:
    """Nothing at all is sent."""
    inside = shops["collector"].unusual[FIRST:END]
    assert not any(inside)


def test_bots_come(shops: dict[str, Sent]) -> None:
    """Four for each visit on a desktop, each as a new guest there who is no robot that says so."""
    calls = shops["bots"].calls(False)
    known = {call["messageId"] for call in shops["bots"].calls(True)}
    bots = [call for call in calls if call["messageId"] not in known]
    assert len(calls) - len(bots) == len(known)
    assert len(bots) == len({bot["anonymousId"] for bot in bots})
    assert all("userId" not in bot and bot["context"]["device"]["type"] == "desktop" for bot in bots)
    devices = {call["anonymousId"] for call in shops["bots"].calls(True)
        if call["context"]["device"]["type"] == "desktop"}  # fmt: skip
    assert 0.8 < len(bots) / BOTS_EACH / len(devices) < 1.2


def test_the_page_says_what_happens() -> None:
    """It lists each kind, in the words of the program."""
    page = (HERE / "dashboard.md").read_text("utf-8")
    assert [*INCIDENTS.items()] == re.findall(
        r"^\| `(\w+)` \| (\d+ of .*|pages .*|the .*|for .*) \|$", page, re.MULTILINE
    )


def test_several_at_once() -> None:
    """They add up, with a rhythm, too; and one seed gives the same events again."""
    incidents = [Incident(kind, START_MS, END_MS) for kind in ("slow", "checkout", "bots", "segment")]

    def run() -> list[Sequence[MadeRecord]]:
        shop = Shop(9, 20, 2_000, incidents, Rhythm())
        return [shop.sends(START_MS + n * EVERY_MS) for n in range(3_000)]

    assert run() == run()
    events = Counter(read(record).get("event") for some in run() for record in some)
    assert events["Payment Failed"] > events["Order Completed"]
