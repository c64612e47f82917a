"""Drives devices and people of one partition with the oracle's events, and compares what stands said with the
oracle of identity.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streams.core.funnels.windows import Windows
from streams.core.identity.devices import LINK_LATE, Devices
from streams.core.identity.links import Link, Spans
from streams.core.identity.moves import Give
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.moving import give_signals, take_signals
from streams.core.journeys.population import Population
from streams.core.journeys.signal import event_ref
from streams.core.journeys.summary import FinalRefund
from tests import identity_oracle, oracle
from tests.identity_oracle import Event, Settings
from tests.laws.driving import (
    OUTCOMES,
    Said,
    counted,
    expected,
    expected_cues,
    expected_unmatched,
    over_all_time,
    patience,
    signal_of,
)


def spans_of(settings: Settings) -> Spans:
    """The oracle's settings as the code's."""
    return Spans(settings.forward, settings.back, settings.shared_above)


def profile_name(tenant: str, profile: str) -> str:
    """The key of a profile."""
    return f"{tenant}\x1f{profile}" if tenant else profile


@dataclass
class House:
    """One partition with identity on. Messages to users are delivered when a batch ends."""

    settings: Settings
    of: oracle.Patience
    allowed_lateness: int
    population: Population = field(init=False)
    devices: Devices = field(init=False)
    said: Said = field(default_factory=Said)
    windows: Windows = field(default_factory=Windows)
    accepted: list[Event] = field(default_factory=list)
    profiles: dict[str, dict[int, bytes]] = field(default_factory=dict)  # the state of profiles
    stored: dict[str, dict[bytes, bytes]] = field(default_factory=dict)  # the state of devices
    finals: list[tuple[str, Any, Callable[[int], str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        delay = FinalityDelay(self.allowed_lateness, self.settings.back)
        self.population = Population(patience(self.of), delay)
        self.devices = Devices(self.population, spans_of(self.settings))
        self.settle()

    def settle(self) -> None:
        """The settled mark comes behind all that has been told to users by now."""
        if self.settings.on:
            self.population.settled_limit_ms = self.population.watermark_ms

    def put(self, e: Event) -> str:
        """Hands one event in, as its user's and its device's owner partition; says how it ended."""
        population = self.population
        population.watermark_ms = max(population.watermark_ms, e.at)
        outcome = "no-signal"
        if e.at < population.watermark_ms - self.allowed_lateness:
            return "late"
        if e.signal is not None and e.user is not None:
            key = profile_name(e.tenant, f"u:{e.user}")
            outcome = OUTCOMES[self._number(population.take(key, signal_of(e.signal)))]
        elif e.signal is not None:
            key = profile_name(e.tenant, f"d:{e.device}")
            outcome = OUTCOMES[self._number(self.devices.take_event(key, signal_of(e.signal)))]
        if e.user is not None and e.device is not None and e.links and self.settings.on:
            link = Link(e.at, profile_name(e.tenant, f"u:{e.user}"), event_ref(e.id))
            assert self.devices.take_link(profile_name(e.tenant, f"d:{e.device}"), link) != LINK_LATE
        self.accepted.append(e)
        return outcome

    def _number(self, outcome: object) -> int:
        assert isinstance(outcome, int), "these histories leave no need out"
        return outcome

    def end_batch(self) -> None:
        """Decides whose the events of the batch are, and tells their users."""
        self.devices.decide()
        for message in self.devices.moves:
            device = message.device.rpartition("\x1f")[2][2:]
            if isinstance(message, Give):
                other = None if message.is_new else message.device
                moved = give_signals(self.population, message.user, device, message.signals, other)
            else:
                moved = take_signals(self.population, message.user, device, message.events, message.device)
            assert not moved.inconsistent, message
            assert moved.kept == 0
            assert not moved.over_cap
        assert not any(moved.inconsistent for _, moved in self.devices.own)
        self.devices.moves, self.devices.own = [], []
        self.settle()

    def time(self, timer: int) -> None:
        """Lets timers fire up to here."""
        assert self.population.advance(timer, 10**9)

    def commit(self) -> None:
        """Ends the batch and keeps what it would write."""
        self.end_batch()
        self.said.hear(self.population, self.windows)
        self.population.housekeep(10**9)
        self.devices.housekeep(10**9)
        self.finals += [
            (found.profile.key, found.final, found.profile.needs.__getitem__)
            for found in self.population.finals
        ]
        for part in self.population.commit():
            _put(self.profiles, part.key, part.number, part.value)
        for piece in self.devices.commit():
            _put(self.stored, piece.key, piece.name, piece.value)

    def restart(self) -> None:
        """Loses all memory, and begins from what was committed."""
        self.commit()
        before = self.population
        self.__post_init__()
        self.population.settled_limit_ms = before.settled_limit_ms
        self.population.restore(self.profiles, before.watermark_ms, before.timers_fired_ms)
        self.devices.restore(self.stored)

    def expected(self) -> dict[str, list[oracle.Signal]]:
        """The signals of each profile, by the oracle."""
        found = identity_oracle.profiles(self.accepted, self.settings)
        return {profile_name(*key): signals for key, signals in found.items()}

    def check(self) -> None:
        """What stands said is what the oracle says, of every profile."""
        self.end_batch()
        self.said.hear(self.population, self.windows)
        by, timer = self.expected(), self.population.timers_fired_ms
        assert self.said.steps() == expected(by, timer, self.of)
        assert self.said.unmatched() == expected_unmatched(by, timer, self.of)
        assert self.said.cues() == expected_cues(by, self.of)

    def check_counters(self) -> None:
        """The counters over all time are the oracle's."""
        self.windows.roll_up(0)
        assert over_all_time(self.windows) == counted(
            self.expected(), self.population.timers_fired_ms, self.of
        )

    def check_finals(self) -> None:
        """Whatever became final is what holds at the end."""
        by, timer = self.expected(), self.population.timers_fired_ms
        for key, final, need_name in self.finals:
            if isinstance(final, FinalRefund):
                continue
            told = oracle.journeys(by.get(key, []), timer, self.of)
            ends = [(j.need, j.opened_at, j.closed_at, j.furthest) for j in told if j.outcome != "open"]
            assert (need_name(final.need), final.opened_ms, final.closed_ms, final.furthest) in ends


def _put(store: dict[str, dict[Any, bytes]], key: str, name: Any, value: bytes | None) -> None:
    if value is not None:
        store.setdefault(key, {})[name] = value
        return
    store.get(key, {}).pop(name, None)
    if not store.get(key, {}):
        store.pop(key, None)
