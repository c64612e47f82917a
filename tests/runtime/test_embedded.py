"""All partitions of a data directory in one process."""

import json
from collections import Counter
from pathlib import Path

from streams.core.processing.committed import Committed
from streams.runtime.embedded import Embedded
from streams.settings.fold import PatienceSettings
from streams.settings.identity import IdentitySettings
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat
from streams.telemetry.meters import Meters
from tests.core.processing.feeding import START, event, rules
from tests.telemetry.fixed import FixedClock

EVENTS, PEOPLE, PARTITIONS = 300, 20, 3


def file_of_events(path: Path) -> Path:
    """A file with some events and one record that cannot be read."""
    values = [
        event(n * 1_000, f"e{n}", "Bought" if n % 7 == 0 else "Looked", user=f"u{n % PEOPLE}")
        for n in range(EVENTS)
    ]
    path.write_bytes(b"\n".join([*values, b"{"]) + b"\n")
    return path


async def test_observers_see_each_step_as_on_kafka(tmp_path: Path) -> None:
    """The meters are an observer, and their figures add up to what was read; each observer sees each step."""
    meters, steps = Meters(), list[Committed]()
    # Without identity, partitions have nothing to report: each record is one of the input.
    settings = Settings(
        data_dir=tmp_path / "data", partitions=PARTITIONS, batch=50, identity=IdentitySettings(on=False)
    )
    embedded = await Embedded.open(settings, rules(), observers=(meters.committed, steps.append))
    await embedded.replay(
        FiniteInput([file_of_events(tmp_path / "clicks")], InputFormat()), lambda progress: None
    )
    await embedded.close()
    assert EVENTS + 1 == sum(step.records for step in steps)
    last = {step.partition: step for step in steps}
    assert set(range(PARTITIONS)) == last.keys()
    assert EVENTS + 1 == sum(step.totals.received for step in last.values())
    reasons = sum((Counter(step.reasons.get("rejected", {})) for step in steps), Counter())
    assert Counter(undecodable=1) == reasons
    assert 1 == len({step.watermark_ms for step in last.values()}), "the input's end is the same for all"
    shown = meters.render().decode()
    for partition, step in last.items():
        assert f'streams_events_received_total{{partition="{partition}"}} {step.totals.received}.0' in shown
    assert 'streams_rejected_total{reason="undecodable"} 1.0' in shown


async def test_events_of_tenants_are_put_where_their_people_live(tmp_path: Path) -> None:
    """So none of them is forwarded, and each is stored under the record key of its person."""
    shops = ("", "north", "south")
    values = [event(n, f"e{n}", user=f"u{n % PEOPLE}", shop=shops[n % len(shops)]) for n in range(EVENTS)]
    settings = Settings(data_dir=tmp_path / "data", partitions=PARTITIONS, tenant="properties.shop")
    embedded = await Embedded.open(settings, rules())
    await embedded.append([(value, ()) for value in values])
    await embedded.finish()
    counts = [agent.processor.checkpoint.counts for agent in embedded.agents]
    keys = {record.key async for _, record in embedded.log.scan("events")}
    await embedded.close()
    assert (EVENTS, 0) == (sum(c.applied for c in counts), sum(c.forwarded for c in counts))
    assert all(c.applied for c in counts), "there is somebody in each partition"
    people = {(shops[n % len(shops)], f"u{n % PEOPLE}") for n in range(EVENTS)}
    assert {(f"{shop}\x1f{user}" if shop else user).encode() for shop, user in people} == keys


async def test_a_step_that_commits_nothing_is_seen_too(tmp_path: Path) -> None:
    """It carries the totals of the commits before it."""
    steps = list[Committed]()
    settings = Settings(data_dir=tmp_path / "data", partitions=1)
    embedded = await Embedded.open(settings, rules(), observers=(steps.append,))
    await embedded.append([(event(0, "e", "Looked"), ())])
    await embedded.step(idle_s=0.0)
    await embedded.step(idle_s=0.0)
    await embedded.close()
    assert [(1, True), (0, False), (0, False)] == [(step.records, step.written) for step in steps]
    assert {1} == {step.totals.received for step in steps}


async def test_an_idle_directory_follows_the_wall_clock(tmp_path: Path) -> None:
    """A journey stalls although no event comes, once the input has been idle for long enough."""
    clock, steps = FixedClock(START / 1_000), list[Committed]()
    settings = Settings(
        data_dir=tmp_path / "data", partitions=1, idle_after="60s", patience=PatienceSettings(know="30s")
    )
    embedded = await Embedded.open(settings, rules(), observers=(steps.append,), clock=clock)
    await embedded.append([(event(0, "e", "Looked"), ())])
    await embedded.step(idle_s=0.0)
    clock.now_s += 100
    await embedded.step(idle_s=59.0)
    assert [1, 1] == [step.rev for step in steps[::2]], "opened; only events move the time yet"
    await embedded.step(idle_s=60.0)
    assert 2 == steps[-1].rev, "stalled"
    await embedded.close()


async def test_a_record_of_several_people_is_put_where_its_first_lives(tmp_path: Path) -> None:
    """The others are forwarded, and every journey is as if each event had come alone."""
    values = [event(n * 1_000, f"e{n}", user=f"u{n % PEOPLE}") for n in range(EVENTS)]
    bodies = [b'{"batch":[%s]}' % b",".join(values[at : at + 10]) for at in range(0, EVENTS, 10)]
    ended = []
    for name, records in (("alone", values), ("together", bodies)):
        settings = Settings(data_dir=tmp_path / name, partitions=PARTITIONS)
        embedded = await Embedded.open(settings, rules())
        await embedded.append([(value, ()) for value in records])
        await embedded.finish()
        counts = [agent.processor.checkpoint.counts for agent in embedded.agents]
        ids = [decode(record.value) async for _, record in embedded.log.scan("transitions")]
        await embedded.close()
        assert EVENTS == sum(count.received for count in counts)
        assert (name == "together") == any(count.forwarded for count in counts)
        ended.append((sorted(ids), sum(count.applied for count in counts)))
    assert ended[0] == ended[1]


def decode(transition: bytes | None) -> str:
    """The id of a transition."""
    return str(json.loads(transition or b"")["id"])
