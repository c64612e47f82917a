"""However long the dashboard runs, what it holds beside counters and its index of steps stays as large as it
was (`benchmarks/listeners.py` looks at the memory for an hour).
"""

from typing import Any

from streams.dashboard.asked import Asked, Range
from streams.dashboard.hub import OVERVIEW_EVERY_S, Hub
from streams.dashboard.model import MAX_SHOWN, NEW_STEPS
from streams.queries.views.latest import LATEST_MOVES
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.dashboard.asking import StillClock, asked, shown
from tests.queries.written import DAY, RULES, SHOP, did

LISTENERS, ROUNDS, A_ROUND = 50, 30, 20


class SteppingClock(StillClock):
    """Its seconds are those that a test lets pass."""

    seconds = 0.0

    def monotonic_s(self) -> float:
        return self.seconds


async def test_nothing_grows_with_time() -> None:
    """Fifty listeners who ask for different things, leave and come back, and a log that grows."""
    log = await shown(SHOP)
    dashboard, clock = await asked(log), SteppingClock()
    agent = await PartitionAgent.open(log, 0, Settings(), RULES)
    model, hub = dashboard.model, Hub(dashboard.model, clock)
    wanted = [
        Asked(range, (("device", device),))
        for range in Range
        for device in ("mobile", "desktop", "tablet", "tv", "other")
    ]
    listeners = [hub.messages(wanted[n % len(wanted)]) for n in range(LISTENERS)]
    for listener in listeners:
        await anext(listener)
    sizes = list[dict[str, Any]]()
    for number in range(ROUNDS):
        records = [did(f"u:{number}-{n}", "look", 6 * DAY + number) for n in range(A_ROUND)]
        await log.append([NewRecord(0, None, record, 2_000_000_000_000) for record in records])
        await agent.catch_up()
        while not await dashboard.following.turn():
            pass
        clock.seconds += 10 * OVERVIEW_EVERY_S
        list(hub.tick())
        await dashboard.get(f"/api/moves?where.device={('tv', 'mobile')[number % 2]}")
        await listeners[number].aclose()
        listeners[number] = hub.messages(wanted[(number + 1) % len(wanted)])
        await anext(listeners[number])
        sizes.append(
            {
                "channels": len(hub._channels),
                "due": len(hub._due_s),
                "shown": len(model._shown),
                "days": len(model._ended_days),
                "steps": len(model.steps._held),
                "latest": len(model.latest._held),
                "feeds": len(dashboard.following._feeds),
            }
        )
    assert LISTENERS == hub.listeners
    most = {name: max(size[name] for size in sizes) for name in sizes[0]}
    assert most["channels"] <= len(wanted)
    assert most["due"] <= len(wanted)
    assert max(most["shown"], most["days"]) <= MAX_SHOWN
    assert (NEW_STEPS, 2) == (most["steps"], most["feeds"])
    assert most["latest"] <= 2 * LATEST_MOVES
    for listener in listeners:
        await listener.aclose()
    assert (0, 0) == (len(hub._channels), len(hub._due_s))
