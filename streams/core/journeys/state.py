"""Where a person stands about one need: all that the machine knows between two signals."""

import msgspec

from streams.core.journeys.journey_step import NO_MOMENT, JourneyStep
from streams.core.journeys.money import Money


class Patience(msgspec.Struct, frozen=True):
    """The fold settings that the machine needs, all in milliseconds. Defaults: docs/journeys.md."""

    # Of each moment: know, go, do, buy.
    stall: tuple[int, int, int, int] = (259_200_000, 14_400_000, 86_400_000, 3_600_000)
    abandon: int = 2_592_000_000
    refund: int = 7_776_000_000  # refunds and repeated order ids find a purchase this far back
    join: int = 1_800_000  # a repeat of a purchase without an order id
    grace: int = 300_000  # a buy signal this long after a purchase is the rest of it


class Conversion(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A purchase, as later signals may refer to it."""

    journey: bytes  # ref of the event that opened the journey
    opened_ms: int
    at_ms: int  # of its first truth
    opened_dims: int
    order: bytes | None  # `order_ref` of its order id: of the first truth, or of a repeat that had one
    refunded: bool = False
    money: Money | None = None  # what is known of its money: journeys.md, Money
    returned: int = 0  # minor units that partial refunds gave back
    returned_items: int = 0  # pieces that partial refunds listed
    # Its `converted` step, until a server has stated its money or something was given back: no truth changes
    # its money after that.
    step: JourneyStep | None = None


class State(msgspec.Struct, gc=False, array_like=True):
    """Where a profile stands about one need, after some first part of its journal.

    It depends on nothing but that part, and on how far timers have fired.
    """

    need: int = 0
    moment: int = NO_MOMENT
    furthest: int = NO_MOMENT
    been_in: int = 0  # of the journey: a bit for each moment that it has entered
    stalled: bool = False
    outcome: int = 0  # of the last journey, once closed: CONVERTED, ABANDONED or REFUNDED; 0: open, or none
    opened_ms: int = 0
    entered_ms: int = 0  # when the moment was entered; once closed: when the journey was closed
    last_sign_ms: int = 0  # time of the last sign of life
    last_sign: bytes = b""  # ref of the event that gave the last sign of life
    opened_dims: int = 0
    opened_utc_offset_quarters: int = 0
    journey: bytes = b""  # ref of the event that opened the journey
    conversions: tuple[Conversion, ...] = ()
    cues: int = 0  # that are matched with the journey
    name: str = ""  # of the need
    has_given: bool = False  # a device gave an event of the journey
