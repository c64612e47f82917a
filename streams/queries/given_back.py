"""What refunds gave back of finished journeys."""

from typing import NamedTuple

import msgspec

from schemas import JourneyRecord, RefundRecord


class JourneyName(NamedTuple):
    """What a journey and its refunds have in common."""

    tenant: str | None
    profile: str
    need: str | None
    journey: str


class GivenBack(msgspec.Struct):
    """What the refunds of one purchase gave back so far."""

    is_all: bool = False  # it is refunded, and not in parts only
    minor: int | None = None  # the sum, in minor units; None: no refund says how much
    currency: str | None = None

    def add(self, refund: RefundRecord) -> None:
        """Adds a refund. All that have an amount have it in the purchase's currency."""
        self.is_all |= refund.kind == "refunded"
        if refund.value_minor is not None:
            self.minor, self.currency = (self.minor or 0) + refund.value_minor, refund.currency


def name_of(record: JourneyRecord | RefundRecord) -> JourneyName:
    """The journey that a record is about."""
    return JourneyName(record.tenant, record.profile, record.need, record.journey)
