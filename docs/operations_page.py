"""Makes the parts of docs/operations.md that the code knows: topics, their settings, and lines of the log."""

from textwrap import fill

from streams.log.kafka.topics.config import OWN_CONFIG, RECORD_BYTES
from streams.settings.durations import duration_text
from streams.telemetry.client_lines import CLIENT_LIFE
from streams.telemetry.logs import LIFE
from streams.topology import OWN_TOPICS, Cleanup, Topic

MEBIBYTE = 1 << 20
COLUMNS = 120


def topics() -> str:
    """A table with a row per topic of an app, and the settings that compacted ones share."""
    rows = "".join(
        f"| `<app>.{topic.name}` | {topic.about} | {_kept(topic)} | {_bytes(topic)} |\n"
        for topic in OWN_TOPICS
    )
    compacted = next(OWN_CONFIG[topic.name] for topic in OWN_TOPICS if topic.cleanup is Cleanup.COMPACT)
    details = ", ".join(f"`{key}={value}`" for key, value in compacted.items() if key != "max.message.bytes")
    head = "| topic | what it is | kept | largest record |\n|---|---|---|---|\n"
    return f"{head}{rows}\n{fill(f'The compacted ones also have {details}.', COLUMNS)}\n"


def life() -> str:
    """A table with a row per event of the log."""
    return "| event | when: with |\n|---|---|\n" + "".join(
        f"| `{event}` | {about} |\n" for event, about in (LIFE | CLIENT_LIFE).items()
    )


def _kept(topic: Topic) -> str:
    if topic.cleanup is Cleanup.COMPACT:
        return "the last per key (`cleanup.policy=compact`)"
    kept = int(OWN_CONFIG[topic.name]["retention.ms"])
    return duration_text(kept) if kept >= 0 else "for ever"


def _bytes(topic: Topic) -> str:
    return f"{int(OWN_CONFIG[topic.name].get('max.message.bytes', RECORD_BYTES)) // MEBIBYTE} MiB"
