"""How partitions are shared: laws of `balance`, and the bytes of the group's protocol."""

from itertools import product

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import Incompatible
from streams.runtime.assignor import Assignor, Claim, Shares, balance, read_claim

PARTITIONS = st.integers(0, 24)
CLAIMS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.builds(Claim, st.integers(0, 4), st.lists(st.integers(-1, 30), max_size=24).map(tuple)),
    min_size=1,
    max_size=7,
)


def held(claims: dict[str, Claim], partitions: int) -> dict[int, str]:
    """Who has what, by the newest claim to each."""
    found: dict[int, str] = {}
    for name in sorted(claims, key=lambda name: (-claims[name].generation, name)):
        for number in claims[name].partitions:
            if 0 <= number < partitions:
                found.setdefault(number, name)
    return found


def kept(shares: Shares, before: dict[int, str]) -> int:
    return sum(
        before.get(number) == name for name, numbers in shares.partitions.items() for number in numbers
    )


@given(PARTITIONS, CLAIMS)
def test_every_partition_has_exactly_one_owner(partitions: int, claims: dict[str, Claim]) -> None:
    """Every member has a share, though it may be empty."""
    plan = balance(partitions, claims)
    assert claims.keys() == plan.partitions.keys()
    assert list(range(partitions)) == sorted(
        number for numbers in plan.partitions.values() for number in numbers
    )


@given(PARTITIONS, CLAIMS)
def test_shares_are_equal(partitions: int, claims: dict[str, Claim]) -> None:
    """They differ by one at most."""
    sizes = [len(numbers) for numbers in balance(partitions, claims).partitions.values()]
    assert max(sizes) - min(sizes) <= 1


@given(PARTITIONS, CLAIMS)
def test_nobody_gives_away_more_than_is_too_much(partitions: int, claims: dict[str, Claim]) -> None:
    """A member that gets a new partition gave none away."""
    before = held(claims, partitions)
    for name, numbers in balance(partitions, claims).partitions.items():
        had = {number for number, owner in before.items() if owner == name}
        assert had <= set(numbers) or set(numbers) <= had


FEW = st.builds(Claim, st.integers(0, 2), st.lists(st.integers(0, 5)).map(tuple))


@given(st.integers(0, 5), st.dictionaries(st.sampled_from("abc"), FEW, min_size=1))
def test_no_other_equal_shares_move_less(partitions: int, claims: dict[str, Claim]) -> None:
    """All equal shares are tried."""
    before, names = held(claims, partitions), sorted(claims)
    best = 0
    for owners in product(names, repeat=partitions):
        sizes = [owners.count(name) for name in names]
        if max(sizes) - min(sizes) <= 1:
            best = max(best, sum(before.get(number) == owner for number, owner in enumerate(owners)))
    assert best == kept(balance(partitions, claims), before)


@given(PARTITIONS, CLAIMS)
def test_a_claim_of_what_was_given_is_met(partitions: int, claims: dict[str, Claim]) -> None:
    """A rebalance without a new or lost member moves nothing, and increases the generation."""
    first = balance(partitions, claims)
    again = balance(
        partitions,
        {name: Claim(first.generation, tuple(numbers)) for name, numbers in first.partitions.items()},
    )
    assert first.partitions == again.partitions
    assert first.generation + 1 == again.generation


@given(PARTITIONS, CLAIMS)
def test_the_order_of_members_does_not_matter(partitions: int, claims: dict[str, Claim]) -> None:
    """Whichever member decides, the shares are equal."""
    assert balance(partitions, claims) == balance(partitions, dict(reversed(claims.items())))


@given(st.integers(1, 12), st.integers(1, 5))
def test_a_newcomer_takes_only_its_share(partitions: int, members: int) -> None:
    """Nothing moves between the members that were there before."""
    first = balance(partitions, {f"m{n}": Claim() for n in range(members)})
    claims = {name: Claim(first.generation, tuple(numbers)) for name, numbers in first.partitions.items()}
    second = balance(partitions, claims | {"a newcomer": Claim()})
    assert all(set(second.partitions[name]) <= set(numbers) for name, numbers in first.partitions.items())


def test_a_member_that_was_away_does_not_take_its_partitions_back() -> None:
    """Among two claims to a partition, the newer one counts."""
    plan = balance(
        4, {"zombie": Claim(3, (0, 1, 2, 3)), "owner": Claim(4, (2, 3)), "other": Claim(4, (0, 1))}
    )
    assert {2, 3} >= set(plan.partitions["owner"]) >= {2}
    assert {0, 1} >= set(plan.partitions["other"]) >= {0}


@pytest.mark.parametrize("data", [None, b"", b"\xff\xff", b"[1, [2]]", b"\x93\x01\x02\x03"])
def test_a_claim_that_cannot_be_read_claims_nothing(data: bytes | None) -> None:
    """A member of another version must not bring the group down."""
    assert Claim() == read_claim(data)


class Topics:
    """The topics of a broker."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.counts[topic])) if topic in self.counts else None


def joining(assignor: Assignor, *topics: str) -> ConsumerProtocolMemberMetadata:
    """A request to join, as the member that decides receives it."""
    return ConsumerProtocolMemberMetadata.decode(assignor.metadata(topics).encode())


def test_a_member_gets_the_same_partitions_of_all_its_topics() -> None:
    """That holds, too, when another member reads one topic more."""
    old, new = Assignor(4), Assignor(4)
    members = {
        "old": joining(old, "clicks", "app.inbox"),
        "new": joining(new, "clicks", "orders", "app.inbox"),
    }
    plan = old.assign(Topics(**{"clicks": 4, "orders": 4, "app.inbox": 4}), members)
    assert ["app.inbox", "clicks"] == [topic for topic, _ in plan["old"].assignment]
    assert ["app.inbox", "clicks", "orders"] == [topic for topic, _ in plan["new"].assignment]
    given = {name: [set(numbers) for _, numbers in one.assignment] for name, one in plan.items()}
    assert all(sets.count(sets[0]) == len(sets) for sets in given.values())
    assert {0, 1, 2, 3} == given["old"][0] | given["new"][0]


def test_a_member_claims_next_time_what_it_was_given() -> None:
    """The claim and the number of members travel through the bytes of the protocol."""
    one, two = Assignor(3), Assignor(3)
    topics = Topics(clicks=3)
    first = one.assign(topics, {"one": joining(one, "clicks")})
    one.on_assignment(type(first["one"]).decode(first["one"].encode()))
    assert (Claim(1, (0, 1, 2)), 1) == (one.claim, one.members)
    second = two.assign(topics, {"one": joining(one, "clicks"), "two": joining(two, "clicks")})
    for name, member in (("one", one), ("two", two)):
        member.on_assignment(type(second[name]).decode(second[name].encode()))
    assert (Claim(2, (0, 1)), 2) == (one.claim, one.members)
    assert (Claim(2, (2,)), 2) == (two.claim, two.members)


def test_who_can_be_asked_travels_to_every_member() -> None:
    """A member without an address is in no table, and what a member has stays where it was."""
    one, two, old = Assignor(4, "10.0.0.1:6066"), Assignor(4, "10.0.0.2:6066"), Assignor(4)
    members = {name: joining(it, "clicks") for name, it in (("one", one), ("two", two), ("old", old))}
    plan = two.assign(Topics(clicks=4), members)
    for name, member in (("one", one), ("two", two), ("old", old)):
        member.on_assignment(type(plan[name]).decode(plan[name].encode()))
    assert one.owners == two.owners == old.owners
    assert {
        **dict.fromkeys(one.claim.partitions, "10.0.0.1:6066"),
        **dict.fromkeys(two.claim.partitions, "10.0.0.2:6066"),
    } == one.owners
    assert ("10.0.0.1:6066", None) == (one.claim.address, old.claim.address)
    assert {0, 1, 2, 3} - set(one.owners) == set(old.claim.partitions) != set()


def test_other_numbers_of_partitions_are_refused() -> None:
    """The message names the topics and what to do. It is kept, since aiokafka hides the error."""
    assignor = Assignor(4)
    with pytest.raises(Incompatible):
        assignor.assign(
            Topics(clicks=6, **{"app.inbox": 4}), {"one": joining(assignor, "clicks", "app.inbox")}
        )
    message = str(assignor.failure)
    assert "started with 4 partitions, but now clicks has 6" in message
    assert "new app id" in message


def test_a_topic_that_is_missing_for_a_moment_is_no_refusal() -> None:
    """A broker that restarts may not know it yet, and is asked again."""
    assignor = Assignor(4)
    with pytest.raises(LookupError, match="clicks"):
        assignor.assign(Topics(), {"one": joining(assignor, "clicks")})
    assert assignor.failure is None
