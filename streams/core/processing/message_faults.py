"""What is wrong with a message of identity that no partition of the app wrote.

The inbox is a topic like any other, and somebody else may have written into it. Such a record is one
rejection, and changes nothing.
"""

from collections.abc import Callable

from streams.core.funnels.currencies import CURRENCIES, NO_CURRENCY
from streams.core.funnels.dimensions import Dimensions
from streams.core.ingest.partition import partition_of
from streams.core.ingest.times import LATEST_MS
from streams.core.journeys.order_facts import OrderFacts, Update
from streams.core.journeys.signal import (
    CAPITAL_UUID,
    DIMS,
    INTENT,
    ORDER_SIZE,
    ORDERED,
    REF_AT,
    REF_SIZE,
    TIME,
)
from streams.core.moments.verdict import CUE_NAMES, INTENTS
from streams.core.processing.inbox import GiveMessage, LinkMessage, Message, TakeMessage
from streams.core.processing.parameters import Parameters
from streams.core.processing.record_keys import person_key, split_profile_key
from streams.core.processing.travelling import TravellingSignal
from streams.topology import split_source

MAX_OFFSET_QUARTERS = 96  # a day: no zone is further from UTC, and a journal holds it in a byte


def message_faults(
    partition: int, partitions: int, parameters: Parameters
) -> Callable[[Message], str | None]:
    """What finds the fault of a message to this partition; it says None where there is none."""
    dimensions = parameters.dimensions

    def is_owned(key: str) -> bool:
        return partition_of(person_key(key), partitions) == partition

    def fault_of(message: Message) -> str | None:
        if not isinstance(message, LinkMessage | GiveMessage | TakeMessage):
            return None
        if parameters.identity is None:
            return "a message of identity, which is off"
        if not _are_profiles(message.user, message.device):
            return "a message of identity that names no user and device of one tenant"
        if isinstance(message, LinkMessage):
            if not is_owned(message.device):
                return "a link of a device that another partition owns"
            return None if _is_sound_link(message) else "a link that no event of this app can be"
        if not is_owned(message.user):
            return "an event given to a user, or taken back, whom another partition owns"
        if isinstance(message, TakeMessage):
            sound = all(len(name) == ORDERED and _is_ref(name[REF_AT:]) for name in message.events)
        else:
            sound = all(_is_sound(signal, dimensions) for signal in message.signals)
        return None if sound else "an event given to a user, or taken back, that none of this app can be"

    return fault_of


def _are_profiles(user: str, device: str) -> bool:
    users, named = split_profile_key(user)
    devices, at = split_profile_key(device)
    return users == devices and len(named) > 2 < len(at) and named[:2] == "u:" and at[:2] == "d:"


def _is_sound_link(link: LinkMessage) -> bool:
    is_read_at = _is_source(link.source) and link.offset >= 0 <= link.index
    return is_read_at and 0 <= link.at_ms <= LATEST_MS and bool(link.event)


def _is_source(name: str) -> bool:
    try:
        split_source(name)
    except ValueError:
        return False
    return True


def _is_ref(ref: bytes) -> bool:
    return len(ref) == REF_SIZE and ref[:1] <= CAPITAL_UUID


def _is_sound(sent: TravellingSignal, dimensions: Dimensions) -> bool:
    head = sent.head
    return (
        0 <= head >> TIME <= LATEST_MS
        and head >> INTENT & 7 < len(INTENTS)
        and head & DIMS < dimensions.codes
        and _is_ref(sent.ref)
        and 0 <= sent.confidence <= 1
        and abs(sent.utc_offset_quarters) <= MAX_OFFSET_QUARTERS
        and 0 <= sent.cue <= len(CUE_NAMES)
        and bool(sent.needs)
        and (sent.facts is None or _are_sound(sent.facts))
        and (not sent.source or _is_source(sent.source))
    )


def _are_sound(facts: OrderFacts) -> bool:
    money = facts.money
    return (
        (facts.order is None or len(facts.order) == ORDER_SIZE)
        and facts.update in list(Update)
        and (money is None or NO_CURRENCY <= money.currency < len(CURRENCIES))
    )
