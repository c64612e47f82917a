"""A record of the inbox that nobody of the app can have written is one rejection, and changes nothing."""

from typing import Any

import msgspec
import pytest

from streams.core.ingest.partition import partition_of
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.money import Money
from streams.core.journeys.order_facts import OrderFacts
from streams.core.journeys.signal import TIME, event_ref, head_of
from streams.core.processing.inbox import GiveMessage, LinkMessage, TakeMessage, encode_message
from streams.core.processing.travelling import TravellingSignal
from streams.records import Output, Record
from tests.core.processing.feeding import PLAN, START
from tests.laws.test_identity_partitions import ON, Cluster

PARTITIONS = 2
IDS = [f"p{n}" for n in range(99)]
MINE, OTHERS = (next(p for p in IDS if partition_of(p.encode(), PARTITIONS) == number) for number in (0, 1))
USER, DEVICE = f"u:{MINE}", f"d:{MINE}"
SENT = TravellingSignal(
    head=head_of(START, 3, True, 0),
    ref=event_ref("e"),
    rules="v",
    rule="r",
    confidence=0.9,
    utc_offset_quarters=0,
    cue=0,
    needs=("",),
    facts=None,
)
LINK = LinkMessage(DEVICE, USER, START, "e", "events:0", 0, 0)
GIVE = GiveMessage(USER, DEVICE, (SENT,))
TAKE = TakeMessage(USER, DEVICE, (SENT.head.to_bytes(8, "big") + SENT.ref,))


def changed(message: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(message, **fields)


def sent(**fields: Any) -> GiveMessage:
    """A give of a good event and one that differs so."""
    return GiveMessage(USER, DEVICE, (SENT, changed(SENT, **fields)))


FAULTS: dict[str, Any] = {
    "a link of another partition's device": changed(LINK, device=f"d:{OTHERS}"),
    "a link of a user": changed(LINK, device=USER),
    "a link of a device to a device": changed(LINK, user=DEVICE),
    "a link of nobody": changed(LINK, user="u:"),
    "a link of two tenants": changed(LINK, device=f"t\x1fd:{MINE}", user=f"s\x1fu:{MINE}"),
    "a link before all time": changed(LINK, at_ms=-1),
    "a link after all time": changed(LINK, at_ms=1 << 50),
    "a link by no event": changed(LINK, event=""),
    "a link from nowhere": changed(LINK, source="nowhere"),
    "a give to another partition's user": changed(GIVE, user=f"u:{OTHERS}"),
    "a give to a device": changed(GIVE, user=DEVICE),
    "a give of a negative head": sent(head=-1),
    "a give after all time": sent(head=LATEST_MS + 1 << TIME),
    "a give of an unknown intent": sent(head=head_of(START, 7, True, 0)),
    "a give of unknown dimensions": sent(head=head_of(START, 3, True, 0xFFFF)),
    "a give of a short id": sent(ref=b"\0" * 16),
    "a give of an id of no form": sent(ref=b"\x09" * 17),
    "a give from beyond a day": sent(utc_offset_quarters=200),
    "a give of an unknown cue": sent(cue=99),
    "a give of no need": sent(needs=()),
    "a give of no confidence": sent(confidence=7.0),
    "a give of a short order": sent(facts=OrderFacts(b"x")),
    "a give of an unknown update": sent(facts=OrderFacts(None, 7)),
    "a give of an unknown currency": sent(facts=OrderFacts(None, 0, Money(5, 9_999))),
    "a give from nowhere": sent(source="nowhere", offset=1),
    "a take of a short name": changed(TAKE, events=(b"x",)),
    "a take from another partition's user": changed(TAKE, user=f"u:{OTHERS}"),
    "bytes that are no message": b"\xc1",
    "a message that is cut off": encode_message(GIVE)[:-3],
    "no value": None,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_foreign_or_damaged_message_is_one_rejection(fault: Any) -> None:
    """Whatever is in it; and what comes before and after it is taken."""
    cluster = Cluster(PARTITIONS)
    part = cluster.parts[0]
    value = fault if fault is None or isinstance(fault, bytes) else encode_message(fault)
    for message in (encode_message(LINK), value, encode_message(GIVE)):
        part.inbox.append(Record(len(part.inbox), -1, None, message))
    part.step(0, 3)
    counts = part.processor.checkpoint.counts
    assert (1, 1) == (counts.received, counts.rejected)
    assert {"given": 1} == counts.moves
    (letter,) = [output for output in part.outputs if output.topic == "rejected"]
    headers = dict(letter.headers)
    assert (b"undecodable", b"inbox", b"1") == tuple(headers[name] for name in ("reason", "topic", "offset"))
    assert (value or b"") == letter.value
    part.step(0, 3)
    assert {"given": 1} == counts.moves


def test_a_message_of_identity_is_foreign_where_it_is_off() -> None:
    """Nobody of this app wrote it."""
    for plan, rejected in ((PLAN, 3), (ON, 0)):
        cluster = Cluster(PARTITIONS, plan)
        part = cluster.parts[0]
        for message in (LINK, GIVE, TAKE):
            part.hear(Output("inbox", None, encode_message(message), (), 0))
        part.step(0, 3)
        assert rejected == part.processor.checkpoint.counts.rejected
