"""`<app>.identities` (compacted): whose each device is, by who was signed in there last.

Key: the device's bare id; with tenants, the tenant and U+001F before it. A tombstone means that nobody was
signed in there for so long that the device is forgotten.
"""

from typing import Annotated

import msgspec

from schemas.kinds import AS_SENT, COUNT, INSTANT, Tenant, documented


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Whose a device is now. It has a record once something was done there without a user, near a sign-in."""

    tenant: Tenant
    device: Annotated[str, documented("the anonymousId")]
    person: Annotated[
        str | None,
        documented(
            "the user who was signed in there last, u:<userId>; null: the device is shared, so what is done"
            " there without a user is its own",
            pattern="^u:.",
        ),
    ]
    since: Annotated[
        str | None,
        documented(
            "when this user was first signed in there with nobody else in between, and without a pause in"
            " which the device was nobody's; null if the device is shared",
            **INSTANT,
        ),
    ]
    event: Annotated[
        str | None, documented(f"id of the event that says so, {AS_SENT}; null if the device is shared")
    ]
    shared: Annotated[
        bool, documented("more users than `identity.shared_above` are signed in there, or too many for good")
    ]
    users: Annotated[
        int,
        documented(
            "how many were signed in there in the time that counts for sharing, up to the newest sign-in; of"
            " a device with more sign-ins than are kept, as many as were counted by then",
            **COUNT,
        ),
    ]
    rev: Annotated[
        int,
        documented("grows with each record of a device: the number of the batch in its partition", **COUNT),
    ]
