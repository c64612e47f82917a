"""`<app>.late` and `<app>.rejected`: items that were not applied.

The value is the item's own bytes, cut at 64 KiB. The headers hold the fields of these types, each as UTF-8
text. Of what a device gave to a user no bytes are kept: there the value is a `CanonicalEvent`.
"""

from typing import Annotated

import msgspec

from schemas.kinds import COUNT, INSTANT, ProfileName, documented

APPENDED = "when the record was appended to its topic; not there where that is not known"
READ_WITH = (
    "the headers of the record that decide how it is read, as a JSON array of [name, value]; not there where"
    " it has none"
)


class RejectedHeaders(msgspec.Struct, frozen=True, gc=False):
    """Why an item could not be read, and where it was. The value is empty where the item says that its person
    refuses consent.
    """

    reason: Annotated[str, documented("one of a closed list, such as missing_id; docs/consume.md has it")]
    detail: Annotated[
        str, documented("for a person to read: which field it is about, and what was found there")
    ]
    topic: Annotated[str, documented("the topic that it was read from")]
    partition: Annotated[int, documented("the partition of that topic", **COUNT)]
    offset: Annotated[int, documented("the offset of its record in that partition", **COUNT)]
    index: Annotated[int, documented("which item of its record; 0 if the record is one item", **COUNT)]
    cut: Annotated[bool, documented("the value was longer than 64 KiB and is cut")] = False
    appended: Annotated[str, documented(APPENDED, **INSTANT)] = ""
    read_with: Annotated[str, documented(READ_WITH)] = ""


class LateHeaders(msgspec.Struct, frozen=True, gc=False):
    """An event that came too late to be counted, or to be counted in all of its needs; and how late."""

    reason: Annotated[
        str,
        documented(
            "lateness: older than the allowed lateness permits, or an update of an order that is;"
            " over_cap: older than all that its very busy profile still holds, or about needs without a"
            " place there; needs_full: it counts, but not in the needs of left_out; link: it counts, and"
            " came too late to say who was signed in on its device; settled: a device gave it from before"
            " what is final, since an operator excluded its partition; inconsistent: a defect of the program"
        ),
    ]
    late_s: Annotated[float, documented("seconds behind the partition's watermark")]
    profile: ProfileName
    event: Annotated[str, documented("the event's id")]
    at: Annotated[str, documented("the event's time", **INSTANT)]
    topic: Annotated[
        str | msgspec.UnsetType,
        documented("the topic that it was read from; not there where a device gave it to a user"),
    ] = msgspec.UNSET
    partition: Annotated[
        int | msgspec.UnsetType, documented("the partition of that topic; there if topic is", **COUNT)
    ] = msgspec.UNSET
    offset: Annotated[
        int | msgspec.UnsetType,
        documented("the offset of its record in that partition; there if topic is", **COUNT),
    ] = msgspec.UNSET
    index: Annotated[
        int | msgspec.UnsetType,
        documented("which item of its record; 0 if the record is one item; there if topic is", **COUNT),
    ] = msgspec.UNSET
    form: Annotated[
        str,
        documented(
            "event: the value is no item as it came, but what is known of the event, as JSON"
            " (docs/consume.md has the fields); empty: it is"
        ),
    ] = ""
    device: Annotated[str, documented("where form is event: the device that the event names")] = ""
    cut: Annotated[bool, documented("the value was longer than 64 KiB and is cut")] = False
    left_out: Annotated[
        str, documented("of needs_full: the needs in which the event does not count, as a JSON array")
    ] = ""
    appended: Annotated[str | msgspec.UnsetType, documented(APPENDED, **INSTANT)] = msgspec.UNSET
    read_with: Annotated[str, documented(READ_WITH)] = ""
