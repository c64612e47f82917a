"""What is joined from pieces is what encoding the type would write: the same
fields, in the same order, for any content.
"""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Cue, Current, Transition
from streams.core.funnels.currencies import CURRENCIES
from streams.core.funnels.dimensions import Dimensions
from streams.core.ingest.door import Door
from streams.core.ingest.ids import MAX_ID_CHARS
from streams.core.journeys import journey_step
from streams.core.journeys.journey_step import KIND_NAMES, UNMATCHED
from streams.core.journeys.profile import Profile
from streams.core.journeys.signal import MAX_NEEDS, event_ref, event_text
from streams.core.journeys.state import State
from streams.core.moments.verdict import CUE_NAMES
from streams.core.processing.json_text import rfc3339
from streams.core.processing.publisher import MOMENT_LABELS, Publisher, transition_id
from streams.core.processing.record_keys import (
    SEPARATOR,
    is_device,
    person_key,
    profile_key,
    split_person_key,
    split_profile_key,
)
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.subject import MAX_TEXT
from streams.log.kafka.topics.config import RECORD_BYTES
from tests.core.processing.feeding import rules

LAW = settings(max_examples=150, deadline=None, database=None)
ENCODE = msgspec.json.Encoder().encode
DIMENSIONS = Dimensions()

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
odd = st.one_of(
    names,
    st.sampled_from(
        ['"', "\\", "</script>", "\u2028", "è", "日本", "a" * 300, "null", "d41d8cd98f00b204e9800998ecf8427e"]
    ),
)
moments = st.integers(0, 4)
times = st.integers(0, 4_102_444_800_000)  # to the year 2100
codes = st.integers(0, DIMENSIONS.codes - 1)


def publisher(partition: int = 3) -> Publisher:
    book = Rulebook()
    for of in (rules("first"), rules("second", "go")):
        book.adopt(of, Door(readers={"segment": 1}), {})
    return Publisher(partition, DIMENSIONS, book)


UNPUBLISHED = (*UNMATCHED, journey_step.WITHDRAWN, journey_step.CUE)
steps = st.builds(
    journey_step.JourneyStep,
    kind=st.sampled_from([n for n, kind in enumerate(KIND_NAMES) if kind and n not in UNPUBLISHED]),
    need=st.integers(0, 1),
    at_ms=times,
    caused_by=odd.map(event_ref),
    journey=odd.map(event_ref),
    opened_ms=times,
    from_moment=st.integers(-1, 4),
    to_moment=st.integers(-1, 4),
    dwell_ms=st.one_of(st.just(-1), st.integers(0, 10**12)),
    furthest_before=st.integers(-1, 4),
    furthest=moments,
    first_entry=st.booleans(),
    dims=codes,
    opened_dims=codes,
    utc_offset_quarters=st.integers(-48, 56),
    rule=st.integers(-1, 5),
    amount=st.one_of(st.none(), st.integers(0, 10**15)),
    currency=st.integers(0, len(CURRENCIES) - 1),
).filter(lambda t: t.to_moment >= 0 or t.kind not in (journey_step.ADVANCED, journey_step.CONVERTED))


@LAW
@given(
    steps,
    st.one_of(st.just(""), odd),
    odd,
    odd,
    st.sampled_from(["assert", "retract"]),
    st.integers(0, 2**60),
)
def test_a_transition_is_written_as_its_type_would_be(
    t: journey_step.JourneyStep, tenant: str, user: str, need: str, op: Any, rev: int
) -> None:
    """Byte for byte, whatever the ids, needs and tenants are made of."""
    writer = publisher()
    raw = writer.transition(Profile(profile_key(tenant, f"u:{user}"), [], ("", need)), op, rev, t)
    read = msgspec.json.decode(raw, type=Transition)
    assert ENCODE(read) == raw
    infos = [(rule, version.version) for version in writer.rulebook.versions for rule in version.rules]
    skips = KIND_NAMES[t.kind] in ("advanced", "converted") and t.from_moment >= 0
    expected = Transition(
        id=read.id,
        rev=rev,
        op=op,
        tenant=tenant or None,
        profile=f"u:{user}",
        need=need if t.need else None,
        journey=event_text(t.journey),
        # the two lists of kinds are held together by this test
        kind=KIND_NAMES[t.kind],  # type: ignore[arg-type]
        from_=MOMENT_LABELS[t.from_moment],
        to=MOMENT_LABELS[t.to_moment],
        skipped=MOMENT_LABELS[t.from_moment + 1 : max(t.to_moment, 0)] if skips else (),
        at=rfc3339(t.at_ms),
        utc_offset_min=t.utc_offset_quarters * 15,
        dwell_s=None if t.dwell_ms < 0 else t.dwell_ms / 1000,
        opened_at=rfc3339(t.opened_ms),
        event=None if t.rule < 0 else event_text(t.caused_by),
        rule=None if t.rule < 0 else infos[t.rule][0].name,
        confidence=None if t.rule < 0 else infos[t.rule][0].confidence,
        rules=None if t.rule < 0 else infos[t.rule][1],
        dimensions=DIMENSIONS.names(t.dims),
        opened_dimensions=DIMENSIONS.names(t.opened_dims),
        furthest_before=MOMENT_LABELS[t.furthest_before],
        furthest=MOMENT_LABELS[t.furthest],
        first_entry=t.first_entry,
        value_minor=msgspec.UNSET if t.amount is None else t.amount,
        currency=msgspec.UNSET if t.amount is None else CURRENCIES[t.currency],
    )
    assert expected == read


@LAW
@given(
    steps,
    moments,
    st.integers(1, len(CUE_NAMES)),
    st.one_of(st.just(""), odd),
    odd,
    odd,
    st.sampled_from(["assert", "retract"]),
)
def test_a_cue_is_written_as_its_type_would_be(
    t: journey_step.JourneyStep, moment: int, cue: int, tenant: str, user: str, need: str, op: Any
) -> None:
    """Byte for byte, too; its id is made as those of transitions are."""
    writer, key = publisher(), profile_key(tenant, f"u:{user}")
    t = msgspec.structs.replace(t, kind=journey_step.CUE, from_moment=moment, to_moment=moment, cue=cue)
    raw = writer.cue(Profile(key, [], ("", need)), op, 7, t)
    read = msgspec.json.decode(raw, type=Cue)
    assert ENCODE(read) == raw
    expected = Cue(
        id=transition_id(key, need if t.need else "", "cue", t.caused_by),
        rev=7,
        op=op,
        tenant=tenant or None,
        profile=f"u:{user}",
        need=need if t.need else None,
        journey=event_text(t.journey),
        moment=MOMENT_LABELS[moment],
        # the two lists of cues are held together by this test
        cue=CUE_NAMES[cue - 1],  # type: ignore[arg-type]
        at=rfc3339(t.at_ms),
        opened_at=rfc3339(t.opened_ms),
        event=event_text(t.caused_by),
        dimensions=DIMENSIONS.names(t.dims),
    )
    assert expected == read


@LAW
@given(steps, steps, odd, odd)
def test_an_id_names_what_and_why(
    a: journey_step.JourneyStep, b: journey_step.JourneyStep, one: str, other: str
) -> None:
    """Two transitions have one id exactly when tenant, profile, need, kind and causing
    event are the same; content does not matter.
    """
    writer = publisher()

    def said(t: journey_step.JourneyStep, user: str) -> tuple[str, tuple[object, ...]]:
        raw = writer.transition(Profile(f"u:{user}", [], ("", "car")), "assert", 1, t)
        return msgspec.json.decode(raw, type=Transition).id, (user, t.need, t.kind, t.caused_by)

    changed = msgspec.structs.replace(a, at_ms=a.at_ms + 1, furthest=4)
    cases = [said(a, one), said(b, one), said(a, other), said(changed, one)]
    assert len({about for about, _ in cases}) == len({named for _, named in cases})
    assert cases[0][0] == cases[3][0]


@LAW
@given(st.one_of(st.just(""), names), st.sampled_from("ud"), names)
def test_keys_can_be_taken_apart(tenant: str, kind: str, person: str) -> None:
    """A profile's key names its tenant, its kind and its person; a record key leaves the kind out."""
    key = profile_key(tenant, f"{kind}:{person}")
    assert (tenant or None, f"{kind}:{person}") == split_profile_key(key)
    assert (kind == "d") == is_device(key)
    assert person_key(key).decode() == (f"{tenant}{SEPARATOR}{person}" if tenant else person)
    assert (tenant or None, person) == split_person_key(person_key(key))


def test_where_a_person_is() -> None:
    """All needs that have had a journey, by name: an open journey has a moment, a closed one an outcome."""
    writer, p = publisher(), Profile("u:1", [], ("", "tea", "car", "bus"))
    opened = State(moment=3, furthest=3, stalled=True, opened_ms=0, entered_ms=1000, journey=event_ref("e1"))
    closed = msgspec.structs.replace(opened, moment=-1, stalled=False, outcome=journey_step.ABANDONED)
    p.states = [
        State() if need in ("", "bus") else msgspec.structs.replace(state, need=number)
        for number, (need, state) in enumerate(zip(p.needs, (opened, opened, closed, closed), strict=True))
    ]
    had = [s for s in p.states if s.journey]
    shown = msgspec.json.decode(writer.current(p, had, 7), type=Current)
    assert (None, "u:1", 7) == (shown.tenant, shown.profile, shown.rev)
    assert [("car", None, False, "abandoned"), ("tea", "buy", True, None)] == [
        (n.need, n.moment, n.stalled, n.outcome) for n in shown.needs
    ]
    p.states = [State()]
    assert () == msgspec.json.decode(writer.current(p, [], 7), type=Current).needs


def test_the_largest_current_record_fits() -> None:
    """Somebody with as many needs as there may be, whose names are as long as they may be."""
    names = ["", *(f"{n:04d}{'€' * (MAX_TEXT - 4)}" for n in range(MAX_NEEDS - 1))]
    state = State(
        moment=3, furthest=3, stalled=True, opened_ms=0, entered_ms=1000, journey=event_ref("e" * 99)
    )
    states = [msgspec.structs.replace(state, need=number) for number in range(MAX_NEEDS)]
    value = publisher().current(Profile(f"u:{'€' * MAX_ID_CHARS}", states, tuple(names)), states, 2**53)
    assert len(value) < RECORD_BYTES


def test_instants() -> None:
    """RFC 3339, UTC, milliseconds."""
    assert ["1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z"] == [
        rfc3339(ms) for ms in (0, 1_709_251_199_999)
    ]
