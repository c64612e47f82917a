"""`<app>.journeys` (append-only): one record per journey once no accepted event can change it any more, and one per later refund."""

from typing import Literal

import msgspec

from schemas.kinds import Moment


class Step(msgspec.Struct, frozen=True, gc=False):
    """A stay in one moment."""

    moment: Moment
    at: str  # entered
    dwell_s: float | None  # null for the moment of truth, which is where a journey ends


class JourneyRecord(msgspec.Struct, frozen=True, gc=False, tag="journey", tag_field="record"):
    """A finished journey: never corrected, never repeated."""

    tenant: str | None
    profile: str
    need: str | None
    journey: str
    opened_at: str
    closed_at: str
    outcome: Literal["converted", "abandoned"]
    furthest: Moment
    path: tuple[Step, ...]  # at most PATH_STEPS of them, the first ones
    steps: int  # how many there were
    dwell_s: dict[str, float]  # seconds per moment, over the whole path
    stalls: int  # how often it fell silent for longer than its moment's patience
    devices: tuple[str, ...]  # on which steps were taken, in order of first use
    opened_dimensions: dict[str, str]
    rules: tuple[str, ...]  # versions of the rules that had a say


class RefundRecord(msgspec.Struct, frozen=True, gc=False, tag="refund", tag_field="record"):
    """A refund of a finished, converted journey."""

    tenant: str | None
    profile: str
    need: str | None
    journey: str
    refunded_at: str
    event: str
