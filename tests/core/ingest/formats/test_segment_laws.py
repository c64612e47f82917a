"""Reading is total: any bytes are an event, a rejection or items; and routing agrees with reading."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS
from streams.core.processing.record_keys import person_key
from tests.core.ingest.examples import EVENT, NEVER_MS
from tests.reading import key_of, read_record

FIELDS = [*EVENT, "originalTimestamp", "sentAt", "receivedAt", "traits"]

texts = st.text(st.characters(), max_size=12)  # with controls, NUL and lone surrogates
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**18, 10**40)
    | st.floats()
    | texts
    | st.sampled_from(["", "track", "2024-02-30T00:00:00Z"])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
changes = st.dictionaries(st.sampled_from(FIELDS), values, max_size=4)
contexts = st.fixed_dictionaries({}, optional={"timezone": values, "page": values})


def holds(value: bytes | None) -> None:
    """Checks the law: reading never raises, events are clean, rejections printable, and keys agree.

    It holds for each call of a batch too.
    """
    found = read_record(value, (), NEVER_MS)
    if isinstance(found, Items):
        for call, outcome in found.items:
            if isinstance(outcome, Event):
                assert outcome == read_record(call, (), NEVER_MS)
                holds(call)
        return
    if isinstance(found, Rejection):
        assert len(found.detail) <= 200
        found.detail.encode()
        return
    assert isinstance(found, Event)
    assert EARLIEST_MS <= found.at_ms < LATEST_MS
    assert -96 <= found.utc_offset_quarters < 96
    assert found.user_id is not None or found.anonymous_id is not None
    assert isinstance(found.properties, dict)
    assert isinstance(found.context, dict)
    assert person_key(found.profile) == found.profile[2:].encode()
    assert key_of(value or b"") in (b"", person_key(found.profile))


@given(st.binary(max_size=200))
def test_any_bytes(value: bytes) -> None:
    """Random bytes never raise, neither when they are read nor when they are routed."""
    holds(value)
    key_of(value)


@given(values)
def test_any_json(value: Any) -> None:
    """Random JSON never raises."""
    holds(json.dumps(value).encode())


@settings(max_examples=400)
@given(changes, st.booleans())
def test_any_field_of_any_type(changed: dict[str, Any], ascii_only: bool) -> None:
    """A valid event with fields of any value never raises.

    The JSON is escaped or raw UTF-8, with lone surrogates.
    """
    holds(json.dumps(EVENT | changed, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@given(st.integers(0, 400), st.integers(0, 400), st.binary(max_size=4))
def test_any_damage(start: int, end: int, put: bytes) -> None:
    """A valid event with some bytes cut out or put in never raises."""
    value = json.dumps(EVENT).encode()
    holds(value[:start] + put + value[end:])


@given(changes, changes)
def test_any_repeated_field(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Repeated fields never raise, and reading and routing see the same one."""
    pairs = [*first.items(), *EVENT.items(), *second.items()]
    holds(("{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}").encode())


@given(contexts)
def test_any_context(context: dict[str, Any]) -> None:
    """A context of any content never raises."""
    holds(json.dumps(EVENT | {"context": context}).encode())


@given(
    st.integers(1, 120_000),
    st.sampled_from([b"[", b"{", b'{"a":', b'[{"a":', b"\xff", b"\x00", b'"', b'\\"', b"9", b"-", b"["]),
)
@settings(max_examples=60)
def test_any_amount_of_the_same(count: int, piece: bytes) -> None:
    """A piece repeated many times, closed or not, never raises and never takes long.

    It stands as a record by itself and in a field.
    """
    holds(piece * count)
    holds(json.dumps(EVENT | {"properties": {"a": 0}}).encode().replace(b'"a": 0', b'"a": ' + piece * count))
