"""Stores a data directory in mid-life as the program of today writes it: `python -m tests.upgrade.store`, once for each new format."""

import asyncio
import json
import lzma
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from streams.core.moments.rules import load
from streams.core.processing.checkpoint import FORMAT
from streams.log.sqlite.log import SqliteLog
from streams.runtime.partition_agent import Agent
from streams.settings.loading import Settings
from tests.upgrade import BATCH, HERE

START = datetime(2026, 1, 5, tzinfo=UTC)
ARRIVED_MS = 1_790_812_800_000  # 2026-10-01
EVENTS, ROBOT, READ = 600, 320, 850  # of people; of a robot; processed before the directory is stored
DAYS = 24
ERAS = ((0, 0), (200, 1), (600, 0))  # from this offset on, these rules
MOMENTS = {
    "Product Viewed": "know",
    "Store Located": "go",
    "Video Started": "do",
    "Product Added": "buy",
    "Order Completed": "truth",
}
SETTINGS: dict[str, Any] = {
    "need": ["properties.category", "properties.products.category"],
    "tenant": "context.shop",
    "batch": BATCH,
}


def rules_text(number: int) -> str:
    """The second version reads one more event, and is less sure of all."""
    names = {**MOMENTS, "Order Refunded": "refund"} | ({"Page Left": "do"} if number else {})
    lines = [f'name = "v{number}"']
    for n, (name, moment) in enumerate(names.items()):
        lines += [
            "[[event]]",
            f'name = "rule-{n}"',
            f'moment = "{moment}"',
            f"confidence = {0.9 - 0.1 * number}",
            f'names = ["{name}"]',
        ]
    return "\n".join(lines)


def event(rnd: random.Random, n: int, day: float, person: str) -> bytes:
    """One event near a day; now and then late, a copy, of several needs, unreadable. Regular customers look and buy, so that they can be folded."""
    regular = person.startswith("regular")
    properties: dict[str, Any] = {"order_id": f"o{rnd.randrange(60)}"} if rnd.random() < 0.5 else {}
    if rnd.random() < 0.2 and not regular:
        properties["products"] = [{"category": rnd.choice(("car", "coffee", "books"))} for _ in range(2)]
    record = {
        "type": "track",
        "messageId": f"m{n - (0 if person == 'robot' else rnd.choice((0, 0, 0, 0, 1, 7)))}",
        "userId": person,
        "event": rnd.choices(
            (*MOMENTS, "Order Refunded", "Page Left"),
            (2, 0, 0, 0, 2, 0, 0) if regular else (6, 2, 2, 3, 2, 1, 2),
        )[0],
        "timestamp": (
            START + timedelta(days=day + rnd.choice((0, 0, 0, 0, -0.1, -1, -3)), seconds=rnd.randrange(600))
        ).isoformat(),
        "properties": properties,
        "context": {"shop": "sevilla"} if person.endswith("s") else {},
    }
    return json.dumps(record).encode()[: None if rnd.random() > 0.01 else 40]


def events() -> list[bytes]:
    rnd = random.Random(1)
    people = [f"p{n}" if n % 3 else f"p{n}s" for n in range(30)]
    out = [
        event(
            rnd,
            n,
            DAYS * n / EVENTS,
            rnd.choice([*people[n // 30 : n // 30 + 7], "regular-1", "regular-2", "regular-3s"]),
        )
        for n in range(EVENTS)
    ]
    at = int(EVENTS * 0.85)
    robot = [event(rnd, EVENTS + n, DAYS * 0.85, "robot") for n in range(ROBOT)]
    return out[:at] + robot + out[at:]


async def store(data_dir: Path) -> None:
    log = SqliteLog(data_dir)
    await log.append([(0, None, value, ARRIVED_MS, ()) for value in events()])
    settings = Settings.model_validate(SETTINGS)
    for (_, number), end in zip(ERAS, [*(offset for offset, _ in ERAS[1:]), READ], strict=True):
        agent = await Agent.open(log, 0, settings, load(rules_text(number)))
        while agent.pipeline.checkpoint.offset < end:
            await agent.step()
    await agent.close()
    await log.close()


if __name__ == "__main__":
    target = HERE / f"v{FORMAT}" / "log.sqlite.xz"
    assert not target.exists(), (
        f"{target} is stored. Data of a format that was released stays as it is: raise FORMAT. Of one that was not: delete it"
    )
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(store(Path(folder)))
        target.parent.mkdir()
        target.write_bytes(lzma.compress((Path(folder) / "log.sqlite").read_bytes(), preset=9))
    print(target, target.stat().st_size)
