"""`<app>.late` and `<app>.rejected`: records that were not applied.

Value: the original bytes (cut at 64 KiB). The rest is in the headers, one per field, as UTF-8 text.
"""

from typing import Annotated

import msgspec

from schemas.kinds import COUNT, INSTANT, ProfileName, documented


class RejectedHeaders(msgspec.Struct, frozen=True, gc=False):
    """Why a record could not be read, and where it was."""

    reason: Annotated[str, documented("one of a closed list, such as missing_id; docs/consume.md has it")]
    detail: Annotated[str, documented("for a person: which field, what was found")]
    topic: Annotated[str, documented("the source")]
    partition: Annotated[int, documented("of the source", **COUNT)]
    offset: Annotated[int, documented("of the record in it", **COUNT)]
    index: Annotated[int, documented("of the item in the record; 0 where a record is one item", **COUNT)]
    cut: Annotated[bool, documented("the value was longer than 64 KiB and is cut")] = False


class LateHeaders(msgspec.Struct, frozen=True, gc=False):
    """An event that came too late to be counted, and how late."""

    reason: Annotated[
        str,
        documented(
            "lateness: older than the allowed lateness admits;"
            " over_cap: before what its very busy profile still holds"
        ),
    ]
    late_s: Annotated[float, documented("seconds behind the partition's watermark")]
    profile: ProfileName
    event: Annotated[str, documented("id of the event")]
    at: Annotated[str, documented("time of the event", **INSTANT)]
    topic: Annotated[str, documented("the source")]
    partition: Annotated[int, documented("of the source", **COUNT)]
    offset: Annotated[int, documented("of the record in it", **COUNT)]
    index: Annotated[int, documented("of the item in the record; 0 where a record is one item", **COUNT)]
    cut: Annotated[bool, documented("the value was longer than 64 KiB and is cut")] = False
