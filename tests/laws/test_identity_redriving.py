"""The law of identity with dead letters that are redriven: what a device sent goes by the links while it is
young enough, and is the device's own otherwise.
"""

import random
from typing import Any, NamedTuple

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from schemas import Receipt
from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.links import Spans
from streams.core.processing.parameters import IdentityParameters
from streams.queries.origins import origin_of
from streams.records import Record
from tests.core.processing.feeding import DAY, HORIZON, HOUR, MINUTE
from tests.identity_oracle import Event, Settings
from tests.laws.redriving_devices import letters, send_redriven
from tests.laws.test_identity_partitions import EXAMPLES, NAMES, ON, Cluster, event_of, told

LAW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
OF = Settings(forward=30 * HOUR, back=4 * DAY, shared_above=2)
SPANS = Spans(OF.forward, OF.back, OF.shared_above)
PLAN = msgspec.structs.replace(ON, identity=IdentityParameters(SPANS, CollectiveUsers()))
MOVABLE = HORIZON + OF.back  # what is not older goes by the links
WHO = [(None, "phone")] * 5 + [("ann", "phone")] * 2 + [("ben", "phone"), ("ann", None), (None, "desk")]


class Story(NamedTuple):
    """What was read in time, and what came when all of that was read: each with where it is read."""

    prompt: list[tuple[int, bytes, Event]]
    late: list[tuple[int, bytes, Event]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Events of a week, of which some are held up until the end."""
    prompt: list[tuple[int, bytes, Event]] = []
    late: list[tuple[int, bytes, Event]] = []
    now = HOUR
    for n in range(draw(st.integers(4, 14))):
        now += draw(st.sampled_from((0, 20 * MINUTE, 5 * HOUR, 13 * HOUR, 20 * HOUR)))
        name, (user, device) = draw(st.sampled_from(tuple(NAMES))), draw(st.sampled_from(WHO))
        to = late if draw(st.sampled_from((True, False, False))) else prompt
        to.append((n, *event_of(now, f"e{n}", name, user, device)))
    end = now + draw(st.sampled_from((HOUR, 2 * DAY + HOUR, 4 * DAY, 6 * DAY)))
    prompt.append((0, *event_of(end, "last", "Looked", "zoe", None)))
    return Story(prompt, late)


def text(letter: Record, name: str) -> str:
    return dict(letter.headers)[name].decode()


def receipts(cluster: Cluster) -> list[Receipt]:
    """Those that say how an item ended."""
    found = [msgspec.convert(row, Receipt) for row in cluster.of("redriven")]
    return [receipt for receipt in found if receipt.outcome != "forwarded"]


@LAW
@given(stories(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_what_is_redriven_goes_by_the_links(story: Story, partitions: int, rnd: random.Random) -> None:
    """Whatever was late and is redriven, in any order and any batches, by two commands at once: what stands
    is what the oracle says of all that counts. What a user gets is never refused, and no take finds nothing.
    """
    cluster = Cluster(partitions, PLAN)
    for arriving in story:
        for where, raw, _ in arriving:
            cluster.add(raw, where % partitions)
            rnd.choice(cluster.parts).step(rnd.randrange(4), rnd.randrange(6))
        cluster.drain()
    history = story.prompt + story.late
    written = letters(cluster)
    late = [(number, letter) for number, letter in written if text(letter, "reason") == "lateness"]
    messages = [(found, command) for found in late for command in ("one", "two")]
    for message in rnd.sample(messages, len(messages)):
        send_redriven(cluster, *message)
        rnd.choice(cluster.parts).step(0, rnd.randrange(6), commit=rnd.random() < 0.8)
    cluster.drain()
    moves = [part.processor.checkpoint.counts.moves for part in cluster.parts]
    assert not any(of.keys() & {"inconsistent", "kept", "over_cap"} for of in moves)
    ended: dict[tuple[str, int], list[Receipt]] = {}
    for receipt in receipts(cluster):
        ended.setdefault((f"{receipt.topic}:{receipt.partition}", receipt.offset), []).append(receipt)
    assert all(2 == len(of) for of in ended.values())
    by_event = {text(letter, "event"): ended[f"{o.source}", o.offset] for o, letter in of_origins(late)}
    no_links = {text(letter, "event") for _, letter in written if text(letter, "reason") == "link"}
    marks = {part.processor.population.watermark_ms for part in cluster.parts}
    (mark,) = marks
    # Whoever was forgotten counts as new, which is another law.
    assume(min(e.at for _, _, e in history) >= mark - MOVABLE - HORIZON)
    events = []
    for _, _, e in history:
        e = e._replace(links=e.links and e.id not in no_links)
        outcomes = {receipt.outcome for receipt in by_event.get(e.id, [])}
        is_own = bool(outcomes) and e.user is None and e.at < mark - MOVABLE
        if outcomes and not is_own and e.user is None:
            assert outcomes & {"applied"}, "nothing that is final lies behind it"
        if outcomes == {"late"}:
            e = e._replace(signal=None)
        else:
            assert not outcomes or outcomes in ({"applied", "already"}, {"applied", "duplicate"})
        events.append(e._replace(own=is_own))
    timers = {part.number: part.processor.population.timers_fired_ms for part in cluster.parts}
    assert 1 == len(set(timers.values()))
    assert told(events, timers[0], OF) == cluster.standing()


def of_origins(late: list[tuple[int, Record]]) -> list[tuple[Any, Record]]:
    return [(origin_of(letter, number), letter) for number, letter in late]
