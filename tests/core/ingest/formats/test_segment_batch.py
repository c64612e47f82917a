"""A batch is read as its calls, byte for byte and fault by fault."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.ingest.event import MAX_ITEMS, MAX_RECORD_BYTES, Event, Items, Reason, Rejection
from streams.core.ingest.formats.segment_batch import MAX_BATCH_DEPTH, split_batch
from streams.core.ingest.nesting import MAX_DEPTH
from streams.core.processing.record_keys import person_key
from tests.core.ingest.examples import ABSENT, NEVER_MS, read, record, rejection
from tests.core.ingest.formats.test_segment_laws import changes, values
from tests.reading import key_of, read_record

HALF_AN_EMOJI = b'{"type":"track","event":"\\ud83d"}'
NOT_UTF8 = b'{"type":"track","event":"\xff"}'
BARE_CONTROL = b'{"type":"track","event":"\n"}'


def body(*calls: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """Makes a batch of these calls, with other fields before and after them."""
    return b"{" + before + b'"batch":[' + b",".join(calls) + b"]" + after + b"}"


def items(value: bytes) -> Items:
    """Reads a record that must be a batch."""
    found = read_record(value, (), NEVER_MS)
    assert isinstance(found, Items), found
    return found


calls = (
    st.builds(lambda changed: record(**changed), changes)
    | values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([HALF_AN_EMOJI, NOT_UTF8, BARE_CONTROL, body(), body(record())])
)
spaces = st.sampled_from([b"", b" ", b"\r\n\t"])


@settings(max_examples=300)
@given(st.lists(st.tuples(spaces, calls, spaces), max_size=4))
def test_any_calls(parts: list[tuple[bytes, bytes, bytes]]) -> None:
    """Each call of a batch keeps its bytes and is read as it would be alone, whatever stands beside it.

    Routing agrees with reading.
    """
    found = items(body(*(before + call + after for before, call, after in parts)))
    assert [call for _, call, _ in parts] == [item.value for item in found.items]
    for call, outcome in found.items:
        alone = read_record(call, (), NEVER_MS)
        if isinstance(alone, Items):
            assert isinstance(outcome, Rejection)
            assert Reason.UNKNOWN_TYPE == outcome.reason
        elif isinstance(alone, Rejection):
            assert isinstance(outcome, Rejection)  # perhaps for another reason: here its format is known
        else:
            assert alone == outcome
        if isinstance(outcome, Event):
            assert key_of(call) in (b"", person_key(outcome.profile))


@given(st.integers(0, 400), st.integers(0, 400), st.binary(max_size=4), st.sampled_from([b"", HALF_AN_EMOJI]))
def test_any_damage(start: int, end: int, put: bytes, beside: bytes) -> None:
    """A batch with some bytes cut out or put in never raises.

    Each item that is still read stands in the damaged bytes.
    """
    value = body(record(), *([beside] if beside else []), record(messageId="m-2"), after=b',"sentAt":"x"')
    damaged = value[:start] + put + value[end:]
    found = read_record(damaged, (), NEVER_MS)
    assert not isinstance(found, Items) or all(item.value in damaged for item in found.items)
    key_of(damaged)


def test_the_fields_beside_the_calls() -> None:
    """Fields of the body beside its calls, before or after them, change no call."""
    around: dict[str, Any] = {
        "before": b'"sentAt":"x","context":{"timezone":"Europe/Rome"},',
        "after": b',"writeKey":"k"',
    }
    assert items(body(record())) == items(body(record(), **around))
    assert b"" == key_of(body(record(), **around))


def test_an_empty_batch() -> None:
    """A batch without calls is read, and holds nothing."""
    assert Items(()) == items(body()) == items(b' { "batch" : [ ] } ')


@pytest.mark.parametrize("bad", [HALF_AN_EMOJI, NOT_UTF8, BARE_CONTROL, b"{}", b"7", b'"x"', b"null"])
def test_a_call_that_cannot_be_read(bad: bytes) -> None:
    """One bad call is one rejection, as it would be alone; the calls beside it are read."""
    first, refused, last = (item.outcome for item in items(body(record(), bad, record())).items)
    assert isinstance(first, Event)
    assert first == last
    assert isinstance(refused, Rejection)
    assert isinstance(rejection(bad), Rejection)


def test_a_batch_within_a_batch() -> None:
    """A batch within a batch is a call of unknown type."""
    (item,) = items(body(body(record()))).items
    assert Rejection(Reason.UNKNOWN_TYPE, "a batch within a batch") == item.outcome


def test_as_many_calls_as_there_may_be() -> None:
    """MAX_ITEMS calls are read; with one more the record is refused as a whole."""
    assert MAX_ITEMS == len(items(body(*[b"7"] * MAX_ITEMS)).items)
    found = rejection(body(*[b"7"] * (MAX_ITEMS + 1)))
    assert Rejection(Reason.TOO_LARGE, "a record of 10001 events or more, more than 10000") == found
    assert "10,000 calls" in Reason.TOO_LARGE.about
    assert Reason.TOO_LARGE == rejection(body(b'"' + b"x" * MAX_RECORD_BYTES + b'"')).reason


@pytest.mark.parametrize(
    "value",
    [
        record(batch=[{"type": "track"}]),  # a call that has such a field
        b'{"type":"batch","batch":[]}',
        b'{"type":"batch","batch":["\\ud83d"]}',
        b'{"batch":null}',
        b'{"batch":{}}',
        b'{"batch":["\\ud83d"],"batch":{}}',
        b'{"a":{"batch":[]}}',
        b'{"a":{"batch":["\\ud83d"]}}',
        b'{"batch":[]',
        b'{"batch":[]} {"batch":[]}',  # two in one record: nobody may lose the second
        b'{"batch":["\\ud83d"]} {"batch":[]}',
        b'{"batch":[1,]}',
        b'{"batch":[1 2]}',
        b'{"batch":["\\ud83d",]}',
        b'{"batch" []}',
    ],
)
def test_what_is_no_batch(value: bytes) -> None:
    """A record with a type, without an array `batch` at its top, or of several JSON values is no batch."""
    assert split_batch(value) is None
    assert isinstance(read(value), Event | Rejection)


def test_fields_given_twice() -> None:
    """The last of repeated fields counts, whether the strict decoder accepts the batch or not."""
    assert [b"2"] == split_batch(b'{"batch":[1],"batch":[2],"type":null}')
    assert [HALF_AN_EMOJI] == split_batch(b'{"batch":[1],"batch":[%s],"type":null}' % HALF_AN_EMOJI)


@pytest.mark.parametrize("beside", [b"7", HALF_AN_EMOJI])
def test_depth(beside: bytes) -> None:
    """A call may be as deep as a record; a deeper one is refused alone.

    A call that is deeper than the decoder surely takes makes the whole record unreadable.
    """
    deepest, deeper = (
        record(properties=json.loads('{"a":' * n + "1" + "}" * n)) for n in (MAX_DEPTH - 1, MAX_DEPTH)
    )
    first, second, _ = (item.outcome for item in items(body(deepest, deeper, beside)).items)
    assert isinstance(first, Event)
    assert Rejection(Reason.UNDECODABLE, f"nested more than {MAX_DEPTH} deep") == second
    most = MAX_BATCH_DEPTH - 2
    assert 2 == len(items(body(b"[" * most + b"]" * most, beside)).items)
    for value in (
        body(b"[" * (most + 1) + b"]" * (most + 1), beside),
        body(beside, after=b',"a":' + b"[" * 300 + b"]" * 300),
    ):
        assert Reason.UNDECODABLE == rejection(value).reason
    assert 300 < len(items(body(*[b'{"a":[]}'] * 300, beside)).items)  # many brackets are not deep


def test_what_libraries_post() -> None:
    """A request as analytics-python sends it holds three events in their order."""
    calls = [
        record(messageId=f"m{n}", event=name, context=ABSENT)
        for n, name in enumerate(("Product Viewed", "Product Added", "Order Completed"))
    ]
    found = items(body(*calls, after=b', "sentAt": "2024-05-20T10:02:01Z", "writeKey": "k"'))
    events = [item.outcome for item in found.items if isinstance(item.outcome, Event)]
    assert ["Product Viewed", "Product Added", "Order Completed"] == [event.name for event in events]
