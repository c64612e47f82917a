"""What is stored of one person: items of the input and of the inbox, and dead letters."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol

from streams.core.ingest.event import Event
from streams.core.journeys.finality import FinalityDelay
from streams.core.moments.verdict import RuleInfo
from streams.core.processing.parameters import Parameters
from streams.core.processing.record_keys import is_device, profile_key, split_profile_key
from streams.queries.known_links import KnownLinks, link_of
from streams.queries.origins import Origin
from streams.queries.stored_items import StoredItem


class Sought(Protocol):
    """Somebody of whom everything is searched. A Person is one."""

    @property
    def name(self) -> str:
        """What a person calls them."""
        ...

    @property
    def ids(self) -> frozenset[bytes]:
        """Their bare ids."""
        ...

    def has(self, tenant: str | None, profile: str) -> bool:
        """True if this profile is meant."""
        ...


class SoughtDevices(NamedTuple):
    """Some devices, by the keys of their profiles."""

    name: str
    keys: frozenset[str]

    @property
    def ids(self) -> frozenset[bytes]:
        """Their bare ids."""
        return frozenset(split_profile_key(key)[1][2:].encode() for key in self.keys)

    def has(self, tenant: str | None, profile: str) -> bool:
        """True if this profile is one of them."""
        return profile_key(tenant or "", profile) in self.keys


class Letter(NamedTuple):
    """A dead letter of the person."""

    ending: Literal["late", "rejected", "applied"]
    reason: str
    detail: str
    profile: str
    tenant: str | None = None
    event: str | None = None
    at: str | None = None
    left_out: tuple[str, ...] = ()  # of an applied event: the needs in which it does not count


class FoundItem(NamedTuple):
    """An item of the person, as the partition that judged it read it."""

    stored: StoredItem
    rule_of: Callable[[int], tuple[RuleInfo, str]]  # the rule with a code, and the version of the rules
    arrived: bool  # it was processed before the last checkpoint
    forwarded_to: int | None


class PersonsItems:
    """All that was found of a person."""

    def __init__(self, person: Sought, owners: frozenset[int], delay: FinalityDelay) -> None:
        self.person, self.owners, self.delay = person, owners, delay
        self.links: KnownLinks | None = None  # of the devices that were searched; None: links were not
        self.devices: PersonsItems | None = None  # what the person's devices did; None: there are none
        self.late: dict[Origin, Letter] = {}
        self.rejected: dict[Origin, Letter] = {}
        # Dead letters of anybody that hold nothing, since their people have refused to be measured.
        self.withheld: dict[Origin, Letter] = {}
        self.late_links: set[Origin] = set()  # events of anybody that came too late as links
        self.redriven: set[Origin] = set()  # items of anybody that were redriven and count
        self.unmoved: set[Origin] = set()  # of those, the ones that stay their device's own
        self.unreadable: list[str] = []  # sources with records of the person or not, which have no reader
        self.hidden: dict[str, int] = {}  # by source: where the open transaction begins that hides the rest
        self._read: dict[Origin, FoundItem] = {}  # by the partition that read them first, in order
        self._forwarded: dict[Origin, FoundItem] = {}  # by their owner, from its inbox, in order

    def add(self, item: FoundItem) -> None:
        (self._forwarded if item.stored.forwarded else self._read)[item.stored.origin] = item

    def devices_of_links(self, parameters: Parameters) -> frozenset[str]:
        """The devices, by the keys of their profiles, on which the person was ever signed in, and those that
        are the person.
        """
        keys, identity = set[str](), parameters.identity
        for item in (*self._read.values(), *self._forwarded.values()):
            event = item.stored.outcome
            if identity is not None and isinstance(event, Event) and event.apart is None:
                key = item.stored.signals.key(event)
                link = link_of(event, key, identity)
                keys |= {key} if is_device(key) else {link.device} if link is not None else set()
        return frozenset(keys)

    def in_order(self) -> Iterator[FoundItem]:
        """Each item once: what its owner read first, then what was forwarded."""
        for origin, item in self._read.items():
            if origin not in self._forwarded:
                yield item
        yield from self._forwarded.values()

    def letters_alone(self) -> Iterator[tuple[Origin, Letter]]:
        """The dead letters of items that are not stored any more."""
        for letters in (self.late, self.rejected):
            for origin, letter in letters.items():
                if origin not in self._read and origin not in self._forwarded:
                    yield origin, letter
