"""The real shop's events, read by a few lines that share nothing with the
product: what any run over them must agree with.
"""

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from streams.core.ingest.judging import (
    event_fingerprint,  # what a row without an id is called; the one thing taken over
)
from tests import oracle

FOLDER = Path(__file__).parents[2] / "examples" / "simple_shop"
FILE, RULES = FOLDER / "events.csv.gz", FOLDER / "rules.toml"
MAP = ["--map", "anonymousId=client_id", "--map", "event=event", "--map", "timestamp=timestamp"]
INTENTS = {"catalog": 0, "product1": 0, "product2": 0, "cart": 3, "payment_done": 4, "main": None}
INTENTS |= dict.fromkeys(
    (
        "delivery_choice",
        "delivery_courier",
        "delivery_pickup",
        "payment_choice",
        "payment_card",
        "payment_cash",
    ),
    3,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows() -> list[list[str]]:
    with gzip.open(FILE, "rt", newline="") as file:
        return list(csv.reader(file))[1:]


def at_ms(text: str) -> int:
    since = datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def event_id(client: str, event: str, timestamp: str) -> str:
    """The id of a row: it has none of its own."""
    return event_fingerprint({"client_id": client, "event": event, "timestamp": timestamp})


def calls(count: int | None = None) -> list[bytes]:
    """The first rows as a collector writes them to a topic; None: all."""
    return [
        json.dumps(
            {
                "type": "track",
                "messageId": event_id(client, event, timestamp),
                "anonymousId": client,
                "event": event,
                "timestamp": timestamp,
            }
        ).encode()
        for client, event, timestamp in rows()[:count]
    ]


def signals() -> dict[str, list[oracle.Signal]]:
    """By profile, as the oracle takes them. All rules of the shop are sure."""
    by: dict[str, list[oracle.Signal]] = {}
    for client, event, timestamp in rows():
        if (mark := INTENTS[event]) is not None:
            s = oracle.Signal(
                at_ms(timestamp), event_id(client, event, timestamp), mark, True, 0, 0, 0, ("",), None
            )
            by.setdefault(f"d:{client}", []).append(s)
    return by
