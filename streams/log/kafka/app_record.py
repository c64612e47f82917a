"""The record of an app: what it runs under, in its topic `<app>.app`.

Its fixed part (fold settings, partitions, format of the state) is written once, by whoever comes first, and
holds for the life of the app. The rest is kept up to date: the rules, and what each input was like when it
was last looked at. It is JSON, so that a person can read it with any tool; it is no part of the contract, and
`streams app describe` shows it.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from streams.core.processing.checkpoint import REPLAY, STATE_FORMAT
from streams.core.processing.json_text import rfc3339
from streams.errors import Incompatible
from streams.log.kafka.stopped_inputs import made_anew
from streams.settings.fold import FoldSettings


class SeenOffsets(msgspec.Struct, frozen=True, array_like=True):
    """The offsets of one partition of an input when it was last looked at. Both only ever grow."""

    first: int  # of the first record that still existed
    end: int  # of the next record to be written


class SeenInput(msgspec.Struct, frozen=True):
    """An input as it was when it was last looked at."""

    topic_id: str | None  # the brokers' own; None: they give none
    offsets: Mapping[int, SeenOffsets]  # by partition
    is_read: bool = True  # by the workers that were started last
    stopped: str | None = None  # why it is read no more; it stays as it was then

    def difference(self, now: "SeenInput") -> str | None:
        """How a later look shows that the topic was made anew; None if it does not.

        The id says so for certain. Without one, offsets that went back do; a topic that has grown beyond its
        old offsets meanwhile looks like the old one.
        """
        if self.topic_id is not None and now.topic_id is not None:
            if self.topic_id == now.topic_id:
                return None
            return made_anew(self.topic_id, now.topic_id)
        for number, seen in sorted(self.offsets.items()):
            found = now.offsets.get(number)
            if found is not None and (found.end < seen.end or found.first < seen.first):
                return (
                    f"partition {number} holds offsets from {found.first} to {found.end}, and held some from "
                    f"{seen.first} to {seen.end}: it was deleted and made anew, or a broker lost records"
                )
        return None


class AppRecord(msgspec.Struct, frozen=True, tag_field="type", tag="app/1"):
    """What an app runs under."""

    app: str
    partitions: int
    state_format: int
    fold: Mapping[str, Any]  # the fold settings, as `FoldSettings.record` has them
    rules: str  # the version that the worker was started with that was started last
    inputs: Mapping[str, SeenInput]  # all that were ever read, by topic
    began_at: str  # when the first worker was started
    updated_at: str

    def check(self, partitions: int, fold: FoldSettings) -> None:
        """Raises Incompatible if the app cannot be run under these settings; the message names each
        difference.
        """
        if self.state_format != STATE_FORMAT:
            raise Incompatible(
                f"the state of app {self.app} has format {self.state_format}, and this program reads format "
                f"{STATE_FORMAT}: use the version that wrote it, or {REPLAY}"
            )
        if self.partitions != partitions:
            raise Incompatible(
                f"app {self.app} has {self.partitions} partitions, and its topics have {partitions}: {REPLAY}"
            )
        if difference := fold.difference(json.dumps(self.fold).encode()):
            raise Incompatible(
                f"app {self.app} runs under other fold settings (`streams app describe` shows all of them):\n"
                f"{difference}\nNumbers folded under different rules do not add up: put the settings back, "
                f"or {REPLAY}"
            )


def new_app_record(app: str, partitions: int, fold: FoldSettings, *, rules: str, now_ms: int) -> AppRecord:
    """The record of an app that begins now. It has no inputs yet."""
    now = rfc3339(now_ms)
    settings = json.loads(fold.record())
    return AppRecord(app, partitions, STATE_FORMAT, settings, rules, {}, began_at=now, updated_at=now)


encode_app_record = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AppRecord).decode


def decode_app_record(raw: bytes, topic: str) -> AppRecord:
    """The record in these bytes. Raises Incompatible if they are damaged, or if a release wrote it that this
    one does not know.
    """
    try:
        return _decode(raw)
    except msgspec.MsgspecError as error:
        raise Incompatible(
            f"the record in {topic} cannot be read ({error}): another release of this program wrote it, or "
            f"it is damaged: use the release that wrote it, or {REPLAY}"
        ) from error
