"""The record of an app: what shows that an input was made anew, and what keeps a worker out."""

import msgspec
import pytest
from aiokafka.protocol.api import Request

from streams.errors import Incompatible
from streams.log.kafka import topic_ids
from streams.log.kafka.app_record import (
    SeenInput,
    SeenOffsets,
    decode_app_record,
    encode_app_record,
    new_app_record,
)
from streams.settings.tables import Settings

FOLD = Settings().fold
RECORD = new_app_record("shop", 4, FOLD, rules="default-1", now_ms=1_700_000_000_000)


def seen(topic_id: str | None, *offsets: tuple[int, int]) -> SeenInput:
    return SeenInput(topic_id, {number: SeenOffsets(*both) for number, both in enumerate(offsets)})


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (seen("a", (0, 9)), seen("a", (3, 12)), None),
        (seen("a", (0, 9)), seen("b", (0, 12)), "its id is b, and was a: it was deleted and made anew"),
        (
            seen("a", (0, 9)),
            seen("a", (0, 4)),
            None,
        ),  # a broker lost records: whether we read them is not known
        (seen(None, (0, 9), (0, 7)), seen(None, (0, 9), (5, 9)), None),
        (
            seen(None, (0, 9), (0, 7)),
            seen(None, (0, 9), (0, 6)),
            "partition 1 holds offsets from 0 to 6, and",
        ),
        (
            seen(None, (5, 9)),
            seen(None, (0, 12)),
            "partition 0 holds offsets from 0 to 12, and held some from 5",
        ),
        (seen(None, (0, 9)), seen("b", (0, 9)), None),
        (seen("a", (0, 9)), seen(None, (0, 8)), "partition 0 holds offsets from 0 to 8"),
    ],
)
def test_an_input_that_was_made_anew(before: SeenInput, now: SeenInput, reason: str | None) -> None:
    """Its id has changed; where brokers give none, its end or its beginning went back."""
    found = before.difference(now)
    assert (found is None) == (reason is None)
    assert (found or "").startswith(reason or "")


def test_it_is_read_as_it_was_written() -> None:
    """JSON, with a tag that says which record it is."""
    record = msgspec.structs.replace(RECORD, inputs={"clicks": seen("a", (0, 9))})
    raw = encode_app_record(record)
    assert record == decode_app_record(raw, "shop.app")
    assert b'"type":"app/1"' in raw


@pytest.mark.parametrize("raw", [b"", b"{}", encode_app_record(RECORD).replace(b"app/1", b"app/2")])
def test_a_record_of_another_release_is_refused(raw: bytes) -> None:
    """With the topic that it is in."""
    with pytest.raises(Incompatible, match=r"the record in shop\.app cannot be read"):
        decode_app_record(raw, "shop.app")


def test_who_may_work() -> None:
    """Whoever has its settings, its partitions and its format; the message names what differs."""
    RECORD.check(4, FOLD)
    with pytest.raises(Incompatible, match="app shop has 4 partitions, and its topics have 8"):
        RECORD.check(8, FOLD)
    other = Settings.model_validate({"patience": {"buy": "2h"}}).fold
    with pytest.raises(Incompatible, match=r"patience\.buy: stored 1h, given 2h"):
        RECORD.check(4, other)
    newer = msgspec.structs.replace(RECORD, state_format=RECORD.state_format + 1)
    with pytest.raises(Incompatible, match="has format"):
        newer.check(4, FOLD)


def test_a_broker_that_gives_no_ids() -> None:
    """aiokafka refuses to send the request, which is taken for no ids."""
    request: Request = topic_ids._Metadata(["clicks"])
    with pytest.raises(NotImplementedError):
        request.prepare({topic_ids.API_KEY: (0, topic_ids.API_VERSION - 1)})
    assert request.prepare({topic_ids.API_KEY: (0, 13)}).API_VERSION == topic_ids.API_VERSION
