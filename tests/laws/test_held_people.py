"""Of whomever a batch does not change, the same is told while it is being committed as before."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.core.processing.held_profile import changed_people, held_profiles
from tests import identity_oracle
from tests.laws.test_identity_partitions import LAW, Cluster, Partition, days

PEOPLE = ("u:ann", "u:ben", "u:zoe", "u:till", "d:phone", "d:desk", "u:nobody")


def told(part: Partition, rev: int) -> dict[str, bytes]:
    """What is held of each person."""
    return {
        name: msgspec.json.encode(held_profiles(part.processor, [name], rev, has_tenants=False))
        for name in PEOPLE
    }


def step(part: Partition, events: int, messages: int) -> frozenset[bytes]:
    """A batch. Returns whom it has changed; the others are told as before."""
    rev = part.processor.checkpoint.rev
    before = told(part, rev)
    changed = changed_people(part.step(events, messages))
    after = told(part, rev)
    for name in PEOPLE:
        if name[2:].encode() not in changed:
            assert before[name] == after[name], name
    return changed


@LAW
@given(days(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_whom_a_batch_has_not_changed_is_told_as_before(
    day: list[tuple[bytes, identity_oracle.Event]], partitions: int, rnd: random.Random
) -> None:
    """Though time passes for all of them, and others sign in and get events or give them back."""
    cluster = Cluster(partitions)
    changed = set[bytes]()
    for value, _ in day:
        cluster.add(value, rnd.randrange(partitions))
        for _ in range(2):
            changed |= step(rnd.choice(cluster.parts), rnd.randrange(3), rnd.randrange(6))
    for _ in range(3):
        for part in cluster.parts:
            changed |= step(part, 10**6, 10**6)
    assert changed
