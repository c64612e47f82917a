"""`<app>.late` and `<app>.rejected`: records that were not applied. Value: the original bytes (cut at 64 KiB). The rest is in the headers, as UTF-8 text."""

import msgspec


class RejectedHeaders(msgspec.Struct, frozen=True, gc=False):
    """Why a record could not be read, and where it was."""

    reason: str  # a closed list: streams.ingest.Reason
    detail: str  # for a person
    partition: int  # of the source
    offset: int
    cut: bool = False  # the value was longer than 64 KiB and is cut


class LateHeaders(msgspec.Struct, frozen=True, gc=False):
    """An event that came too late to be counted, and how late."""

    reason: str  # horizon: older than the horizon allows; over_cap: before what its very busy profile still holds
    late_s: float  # seconds behind the partition's horizon mark
    profile: str
    event: str
    at: str
    partition: int
    offset: int
    cut: bool = False
