"""`<app>.current` and `<app>.current_devices` (compacted): where each user is now, and each device on which
nobody was signed in.

Key: the bare id; with tenants, the tenant and U+001F before it. A tombstone means that the person is
forgotten, and nothing else. A device that is a user's has a record for as long as `identities` says so.
"""

from typing import Annotated

import msgspec

from schemas.kinds import COUNT, INSTANT, Moment, Need, Outcome, ProfileName, Tenant, documented


class CurrentNeed(msgspec.Struct, frozen=True, gc=False):
    """Where a person is now, about one need."""

    need: Need
    moment: Annotated[Moment | None, documented("null: no journey open")]
    stalled: Annotated[bool, documented("the open journey is silent for longer than its moment's patience")]
    journey: Annotated[str, documented("the open journey, else the last one")]
    opened_at: Annotated[str, documented("when that journey was opened", **INSTANT)]
    opened_dimensions: Annotated[dict[str, str], documented("the dimensions of the event that opened it")]
    since: Annotated[
        str, documented("when the moment was entered, or else when the journey was closed", **INSTANT)
    ]
    furthest: Annotated[Moment, documented("furthest moment of that journey")]
    outcome: Annotated[Outcome | None, documented("how the last journey ended; null while one is open")]


class Current(msgspec.Struct, frozen=True, gc=False):
    """Where a person is now. A correction may leave somebody without any need."""

    tenant: Tenant
    profile: ProfileName
    needs: Annotated[
        tuple[CurrentNeed, ...],
        documented(
            "each need about which the person has a journey, or, where these are more than 1,000, each about "
            "which one is open; in the order of their names"
        ),
    ]
    rev: Annotated[
        int, documented("the partition's greatest `rev` of a transition when this was written", **COUNT)
    ]
    person: Annotated[
        str | msgspec.UnsetType,
        documented(
            "of a device: the user whose device it is (`identities`), in whose record most of what was done"
            " there is. Absent of a device that is nobody's, and of users"
        ),
    ] = msgspec.UNSET
