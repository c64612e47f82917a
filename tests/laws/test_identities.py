"""The topic `identities`: when all is settled it says of each device what the oracle says, over several
partitions and through restarts; and `current_devices` names the same person.
"""

import random
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import Current, Identity
from streams.core.identity.device import ShownAs
from streams.core.identity.links import keep_links_ms
from streams.core.ingest.partition import partition_of
from streams.core.processing.json_text import rfc3339
from tests import identity_oracle
from tests.laws.test_identity_partitions import IDENTITY, LAW, OF, ON, Cluster, days

KEEP, KEEP_LONGER = (
    keep_links_ms(ON.finality.change_ms, IDENTITY.spans, several_users=several) for several in (False, True)
)


def said(cluster: Cluster) -> dict[str, Identity]:
    """The last record of each device. On the way: keys, partitions and revs are right, and each record says
    something new.
    """
    found: dict[str, Identity] = {}
    for part in cluster.parts:
        revs: dict[bytes, int] = {}
        for output in part.outputs:
            if output.topic != "identities":
                continue
            assert output.key is not None
            assert partition_of(output.key, cluster.partitions) == part.number
            device = output.key.decode()
            if output.value is None:
                del found[device]
                continue
            record = msgspec.json.decode(output.value, type=Identity)
            assert record.device == device
            assert record.rev > revs.get(output.key, 0)
            revs[output.key] = record.rev
            record = msgspec.structs.replace(record, rev=0)
            assert record != found.get(device)
            found[device] = record
    return found


def named(cluster: Cluster) -> dict[str, str]:
    """The devices whose `current_devices` record names a person, with that person."""
    last: dict[bytes | None, bytes | None] = {}
    for part in cluster.parts:
        last |= {o.key: o.value for o in part.outputs if o.topic == "current_devices"}
    found = [msgspec.json.decode(value, type=Current) for value in last.values() if value is not None]
    return {c.profile[2:]: c.person for c in found if c.person is not msgspec.UNSET}


def expected(events: Sequence[identity_oracle.Event], device: str, mark: int) -> Identity | None:
    """What the oracle says of a device when everything up to this mark is settled."""
    whose = identity_oracle.whose(events, "", device, OF)
    links = identity_oracle.links_of(events, "", device, OF)
    users = {link.user for link in links if link.at >= mark - KEEP_LONGER}
    if whose is None or links[-1].at < mark - (KEEP_LONGER if len(users) > 1 else KEEP):
        return None
    return Identity(
        tenant=None,
        device=device,
        person=None if whose.user is None else f"u:{whose.user}",
        since=None if whose.since is None else rfc3339(whose.since),
        event=whose.event,
        shared=whose.user is None,
        users=whose.users,
        rev=0,
    )


def is_remembered(events: Sequence[identity_oracle.Event], device: str) -> bool:
    """True if the device cannot have been forgotten and begun anew between two of its links."""
    times = [link.at for link in identity_oracle.links_of(events, "", device, OF)]
    longest = max((later - at for at, later in pairwise(times)), default=0)
    return longest <= KEEP - ON.allowed_lateness_ms


@LAW
@given(days(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_identities_are_those_of_the_oracle(
    day: list[tuple[bytes, identity_oracle.Event]], partitions: int, rnd: random.Random
) -> None:
    """Whatever comes first, however far partitions run ahead and whichever batches are lost."""
    cluster, left, events = Cluster(partitions), deque(day), [e for _, e in day]
    while left:
        for _ in range(rnd.randrange(1, 4)):
            if left:
                cluster.add(left.popleft()[0], rnd.randrange(partitions))
        part = rnd.choice(cluster.parts)
        part.step(rnd.randrange(4), rnd.randrange(6), commit=rnd.random() < 0.8)
    cluster.drain()
    found, mark = said(cluster), max(e.at for e in events)
    persons: dict[str, Any] = {}
    for device in sorted({e.device for e in events if e.device is not None}):
        if not is_remembered(events, device):
            found.pop(device, None)
            continue
        of = expected(events, device, mark)
        assert of == found.pop(device, None)
        persons[device] = of.person if of is not None else None
    assert not found
    assert {d: p for d, p in persons.items() if p is not None} == {
        d: p for d, p in named(cluster).items() if d in persons
    }
    for part in cluster.parts:
        connector = part.processor.connector
        assert connector is not None
        shown = dict.fromkeys(connector.devices.ownership.counts, 0)
        for held in connector.devices.all():
            shown[ShownAs(held.shown_as)] += 1
        assert shown == connector.devices.ownership.counts, "counted one by one"
