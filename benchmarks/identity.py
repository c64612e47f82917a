"""What it costs to know one person on several devices: `python -m benchmarks.identity`.

The same input with identity on and off, in turn; one link that moves many events; people with many devices,
devices with many people or with many links a day; memory and state. Processor time, the least of several
runs. Ratios are taken in one run, so they hold on any machine. `--input guests --identity on` runs one input
once, for valgrind: it counts instructions of the processor, which nothing else on the machine changes.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import process_time
from typing import NamedTuple
from uuid import UUID

from benchmarks.cluster import Cluster
from benchmarks.common import common
from benchmarks.guests import guests
from benchmarks.memory import memory_of
from benchmarks.stages import quiet_collector
from streams.core.identity.collective import CollectiveUsers
from streams.core.identity.device import DevicePart, given_part, links_part
from streams.core.identity.devices import Devices
from streams.core.identity.links import LINK_QUARTER_MS, Link, Spans
from streams.core.identity.moves import Give
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.moving import give_signals
from streams.core.journeys.population import Population
from streams.core.journeys.signal import Signal, event_ref, head_of
from streams.core.journeys.state import Patience
from streams.core.moments.rules import Rules, default_rules
from streams.core.processing.parameters import IdentityParameters
from streams.runtime.collector import GC_THRESHOLD

DEARER, MOVE_MS = 1.25, 3.0  # the goals: times, milliseconds
PARTITIONS, BATCH = 4, 2_000  # records of a partition in a batch
UNMEASURED = 0.2  # of the records
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MARKS, PEOPLE = (0, 1, 2, 0, 3, 0, 3, 4), 1_000  # moments of a day, and whose memory is measured
START_MS = 20_000 * DAY_MS
LATENESS_MS = 2 * DAY_MS
MOVED = (8, 120, 240)  # events that one link moves
MANY = (1, 5, 50, 250, 1_000, 5_000)
EVENTS_OF_ONE = 1_000  # after as many that are not measured
LINKS_A_DAY, LINKED_DAYS = (1, 4, 24, 96), 42  # at most one in each quarter of an hour; for how long
PER_FIGURE = 5_000  # devices whose memory is measured
IDENTITY = IdentityParameters(Spans(), CollectiveUsers())

Made = tuple[bytes, bytes]


def users(count: int, people: int) -> Iterator[Made]:
    """The common work: everybody is signed in, always on the same device."""
    for record in common(count, people):
        yield record.key or b"", record.value or b""


INPUTS: dict[str, Callable[[int, int], Iterator[Made]]] = {"guests": guests, "users": users}


def work(records: Sequence[Made], rules: Rules, identity: IdentityParameters | None) -> tuple[float, Cluster]:
    """us per event of all partitions in turn, and the cluster as it ends.

    The first part is not measured: until partitions have reported to each other, which on Kafka takes some
    seconds, every event of a user on a device is sent as a link.
    """
    cluster = Cluster(PARTITIONS, rules, identity)
    for key, value in records:
        cluster.add(key, value)
    with quiet_collector(GC_THRESHOLD):
        while cluster.to_read > len(records) * (1 - UNMEASURED):
            for number in range(PARTITIONS):
                cluster.step(number, BATCH // 4, reports=True)
        before_s, measured = cluster.spent_s, cluster.to_read
        while cluster.pending > PARTITIONS * BATCH:
            for number in range(PARTITIONS):
                cluster.step(number, BATCH)
        cluster.drain(BATCH)
    return (cluster.spent_s - before_s) / measured * 1e6, cluster


def compare(name: str, records: Sequence[Made], rules: Rules, runs: int) -> None:
    """The same input with identity on and off."""
    on_us, off_us = float("inf"), float("inf")
    for _ in range(runs):
        off_us = min(off_us, work(records, rules, None)[0])
        us, cluster = work(records, rules, IDENTITY)
        on_us = min(on_us, us)
    moves: dict[str, int] = {}
    for member in cluster.members:
        for what, n in member.processor.checkpoint.counts.moves.items():
            moves[what] = moves.get(what, 0) + n
    told = ", ".join(f"{n:,} {what}" for what, n in moves.items()) or "nothing moved"
    times = on_us / off_us
    met = "met" if times <= DEARER else "MISSED"
    print(f"{name}: off {off_us:.1f} us per event, on {on_us:.1f}, {times:.2f} times; goal {DEARER}: {met}")
    print(f"  {told}")


def new_ref(n: int) -> bytes:
    """The ref of an event with a UUID."""
    return event_ref(str(UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)))


def new_devices(back_ms: int = Spans().back_ms) -> Devices:
    """An empty partition."""
    return Devices(Population(Patience(), FinalityDelay(LATENESS_MS, back_ms)), Spans(back_ms=back_ms))


def signal(at_ms: int, n: int) -> Signal:
    """One event of a user or a device."""
    return Signal(head_of(at_ms, n % 4, True, 0), new_ref(n), 0, 0)


def move(count: int, own: int) -> float:
    """Milliseconds that a link takes which gives so many events to a user who has `own` ones."""
    devices = new_devices()
    population = devices.population
    for n in range(max(count, own)):
        at_ms = START_MS + n * 60_000
        population.watermark_ms = at_ms
        if n < own:
            population.take("u:ann", signal(at_ms + 7, 1_000_000 + n))
        if n < count:
            devices.take_event("d:phone", signal(at_ms, n))
    population.changes = []
    began_s = process_time()
    devices.take_link("d:phone", Link(START_MS + max(count, own) * 60_000, "u:ann", new_ref(2_000_000)))
    devices.decide()
    for given in devices.moves:
        assert isinstance(given, Give)
        give_signals(population, given.user, "phone", given.signals, given.device)
    return (process_time() - began_s) * 1e3


def one(devices_of: int, users_of: int) -> float:
    """us per event of a person on so many devices in turn, or of so many people on one device; each event is
    followed by one as a guest, 5 minutes later, and each is a batch of its own.
    """
    devices = new_devices()
    population = devices.population
    spent_s = 0.0
    for n in range(2 * EVENTS_OF_ONE):
        at_ms, device = START_MS + n * LINK_QUARTER_MS, f"d:{n % devices_of}"
        user = f"u:{n % users_of}"
        population.watermark_ms = at_ms
        began_s = process_time()
        devices.take_link(device, Link(at_ms, user, new_ref(2 * n)))
        devices.take_event(device, signal(at_ms + 300_000, 2 * n + 1))
        devices.decide()
        for given in devices.moves:
            assert isinstance(given, Give)
            give_signals(
                population, given.user, device[2:], given.signals, None if given.is_new else given.device
            )
        population.advance(at_ms - 1, 10_000)
        population.housekeep(10_000)
        devices.housekeep(10_000)
        devices.commit()
        population.commit()
        population.changes = []
        if n >= EVENTS_OF_ONE:
            spent_s += process_time() - began_s
    return spent_s / EVENTS_OF_ONE * 1e6


class Growth(NamedTuple):
    """What it comes to when users sign in on a device again and again."""

    us: float  # processor time per link
    written_bytes: float  # of state, per link
    held: int  # links that the device has in the end
    is_full: bool  # it had more than are kept


def growth(links_a_day: int, users_of: int) -> Growth:
    """A device with so many links on each of LINKED_DAYS, of so many users by turns, each in a batch. The
    second half of the days is measured.
    """
    devices, spent_s, written = new_devices(), 0.0, 0
    count = links_a_day * LINKED_DAYS
    for n in range(count):
        at_ms = START_MS + n * (DAY_MS // links_a_day)
        devices.population.watermark_ms = at_ms
        began_s = process_time()
        devices.take_link("d:phone", Link(at_ms, f"u:{n % users_of}", new_ref(n)))
        devices.decide()
        devices.housekeep(10_000)
        parts = devices.commit()
        if n >= count // 2:
            spent_s += process_time() - began_s
            written += state_of(parts)
    (device,) = devices.all()
    measured = count - count // 2
    return Growth(spent_s / measured * 1e6, written / measured, len(device.links), device.full_ms >= 0)


def state_of(parts: Iterable[DevicePart]) -> int:
    """Bytes of these state records."""
    return sum(len(part.key) + len(part.name) + len(part.value or b"") for part in parts)


def device_key(n: int) -> str:
    """The profile of a device with a UUID."""
    return f"d:{UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)}"


def linked(links: int) -> Devices:
    """Devices with so many links of two users by turns, a day apart."""
    devices = new_devices()
    for n in range(PER_FIGURE):
        key = device_key(n)
        for day in range(links):
            at_ms = START_MS + day * DAY_MS
            devices.take_link(key, Link(at_ms, f"u:user-{n}-{day % 2}", new_ref(n * 100 + day)))
    devices.decide()
    devices.commit()
    return devices


def giving(signals: int) -> Devices:
    """Devices with a link and so many events that were given."""
    devices = linked(1)
    for n in range(PER_FIGURE):
        for of in range(signals):
            devices.take_event(device_key(n), signal(START_MS + 1 + of, n * 100 + of))
    devices.decide()
    devices.commit()
    return devices


def given_parts(devices: Devices) -> Iterator[DevicePart]:
    """The state records of all events that these devices gave."""
    for device in devices.all():
        for ref in device.given or ():
            yield given_part(device, ref)


def active(back_ms: int, days: int) -> Population:
    """People who are there each day with as many signals as MARKS, the last of which is a purchase."""
    population = new_devices(back_ms).population
    for day in range(days):
        for n in range(PEOPLE):
            for of, mark in enumerate(MARKS):
                at_ms = START_MS + day * DAY_MS + of * 60_000
                ref = new_ref((n * days + day) * len(MARKS) + of)
                population.take(f"u:user-{n}", Signal(head_of(at_ms, mark, True, 0), ref, 0, 0))
        population.watermark_ms = START_MS + day * DAY_MS + HOUR_MS
        while not (population.advance(population.watermark_ms - 1, 10**9) and population.housekeep(10**9)):
            pass
        population.commit()
    return population


def show_memory() -> None:
    """Bytes per device, link, event that was given, and active person."""
    first = memory_of(lambda: linked(1)) / PER_FIGURE
    more = (memory_of(lambda: linked(5)) / PER_FIGURE - first) / 4
    given = (memory_of(lambda: giving(8)) / PER_FIGURE - first) / 8
    print(f"memory: a device with one link {first:.0f} B, each further link {more:.0f} B")
    print(f"  an event that it gave {given:.0f} B, beside what the user has of it")
    of_one, of_five = (state_of(map(links_part, linked(links).all())) / PER_FIGURE for links in (1, 5))
    print(f"state: a device with one link {of_one:.0f} B, each further link {(of_five - of_one) / 4:.0f} B")
    print(f"  an event that it gave {state_of(given_parts(giving(8))) / PER_FIGURE / 8:.0f} B")
    for days in (1, 5, 14):
        short, long = (memory_of(partial(active, back_ms, days)) / PEOPLE for back_ms in (0, Spans().back_ms))
        print(f"memory: a person with {len(MARKS)} signals on each of {days} days")
        print(f"  finality delay 2 d {short:,.0f} B, 9 d {long:,.0f} B, {long / short:.2f} times")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.identity", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=3, help="of which the least counts")
    parser.add_argument("--input", choices=INPUTS, help="this input alone, once")
    parser.add_argument("--identity", choices=("on", "off"), default="on", help="with --input")
    given = parser.parse_args(arguments)
    rules = default_rules()
    if given.input is not None:
        us, _ = work(
            [*INPUTS[given.input](given.events, given.people)],
            rules,
            IDENTITY if given.identity == "on" else None,
        )
        print(f"{given.input}, identity {given.identity}: {us:.1f} us per event")
        return
    for name, make in INPUTS.items():
        compare(name, [*make(given.events, given.people)], rules, given.runs)
    for count in MOVED:
        for own in (0, 100):
            ms = min(move(count, own) for _ in range(given.runs))
            met = "" if count != 120 else f"; goal {MOVE_MS:g}: {'met' if ms <= MOVE_MS else 'MISSED'}"
            print(f"a link that moves {count} events to a user with {own}: {ms:.2f} ms{met}")
    for many in MANY:
        print(f"one person on {many:,} devices: {one(many, 1):.0f} us per event")
        print(f"{many:,} people on one device: {one(1, many):.0f} us per event")
    for links_a_day in LINKS_A_DAY:
        for users_of in (1, 2):
            found = growth(links_a_day, users_of)
            kept = "more than are kept: it is shared for good" if found.is_full else f"{found.held} held"
            print(
                f"{links_a_day} links a day of {users_of} on a device: {found.us:.0f} us and "
                f"{found.written_bytes:,.0f} B of state per link, {kept}"
            )
    show_memory()


if __name__ == "__main__":
    main()
