"""Sees that a worker runs under what its app runs under, before it joins the group; and keeps the app's
record up to date while it works.

A worker with other fold settings must not even join: it would take a partition from a healthy worker before
it was refused, and again after each restart. So it reads the record first, and is refused there.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from structlog.typing import FilteringBoundLogger

from streams.clock import Clock
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.json_text import rfc3339
from streams.errors import Incompatible, Refused, Unavailable
from streams.log.kafka.app_record import AppRecord, SeenInput, new_app_record
from streams.log.kafka.input_look import UNSEEN, look_at_inputs
from streams.log.kafka.lifecycle import Waiting
from streams.log.kafka.log import KafkaLog
from streams.log.kafka.topic_ids import topic_ids
from streams.log.kafka.topics.cluster import admin
from streams.settings.tables import Settings
from streams.telemetry.meters import Meters
from streams.topology import split_source

# Between looks at the ids of the inputs: one small request of a worker. Sessions look too when a fetch has
# failed, which is how they see that a topic is gone.
LOOK_AT_IDS_EVERY_S = 1.0
# Between updates of the record, by the worker that has partition 0. They matter where brokers give no ids.
UPDATE_EVERY_S = 60.0


class Agreement:
    """What a worker and its app agree on."""

    def __init__(
        self,
        log: KafkaLog,
        settings: Settings,
        rules_version: str,
        *,
        meters: Meters,
        logger: FilteringBoundLogger,
        clock: Clock,
    ) -> None:
        self._log, self._fold, self._rules = log, settings.fold, rules_version
        self._start_timeout_ms = settings.kafka.start_timeout
        self._meters, self._logger, self._clock = meters, logger, clock
        self._record: AppRecord | None = None  # as this worker saw it last
        self._reported: set[str] = set()  # the stopped inputs that the log has

    async def settle(self) -> None:
        """Returns when the app has a record, and this worker may work under it. To be called before it joins.

        Raises Incompatible, which names what differs; Refused; Unavailable after `kafka.start_timeout`.
        """
        waiting, logged = Waiting(self._start_timeout_ms), ""
        while True:
            try:
                await self._update(starting=True)
                self._report_stopped()
                return
            except Unavailable as error:
                failed = waiting.failed("the record of the app cannot be read or written", error)
            if failed.detail != logged:
                self._logger.warning("waiting", reason=failed.detail)
                logged = failed.detail
            await asyncio.sleep(failed.pause_s)

    async def watch(self, leads: Callable[[], bool]) -> None:
        """Stops inputs that are made anew, and keeps the record up to date; never ends by itself.

        `leads`: whether this worker is the one that keeps the record up to date now.
        """
        updated_s, logged = self._clock.monotonic_s(), ""
        while True:
            try:
                async with admin(self._log.cluster, UNSEEN) as client:
                    while True:
                        ids = await topic_ids(client, self._log.inputs)
                        anew = self._find_made_anew(ids)
                        due = leads() and self._clock.monotonic_s() - updated_s >= UPDATE_EVERY_S
                        if anew or due or self._log.stopped.reasons.keys() - self._reported:
                            self._report_stopped()
                            await self._update()
                            self._report_stopped()
                            updated_s = self._clock.monotonic_s()
                        await asyncio.sleep(LOOK_AT_IDS_EVERY_S)
                        logged = ""
            except (Refused, Unavailable) as error:
                if str(error) != logged:
                    self._logger.warning("waiting", reason=str(error))
                logged = str(error)
            await asyncio.sleep(LOOK_AT_IDS_EVERY_S)

    def _find_made_anew(self, ids: Mapping[str, str]) -> bool:
        """Stops the inputs that have another id than in the record. True if one of them has.

        An input of which nothing had ever been read is not stopped here: the update decides.
        """
        assert self._record is not None, "settle comes first"
        found = False
        for topic in self._log.inputs:
            seen = self._record.inputs[topic]
            if seen.stopped is not None or topic not in ids:
                continue
            reason = seen.difference(SeenInput(ids[topic], {}))
            if reason is not None:
                found = True
                if any(offsets.end for offsets in seen.offsets.values()):
                    self._log.stopped.stop(topic, reason)
        return found

    async def _update(self, *, starting: bool = False) -> None:
        """Brings the record up to date; `starting`: with what this worker was started with."""

        async def change(stored: AppRecord | None) -> AppRecord:
            if stored is None:
                stored = await self._new_record()
            stored.check(self._log.partitions, self._fold)
            # After the record was read: what another worker has seen of an input is there by now.
            now = await look_at_inputs(self._log.cluster, self._log.inputs)
            inputs = {
                topic: msgspec.structs.replace(seen, is_read=False) if starting else seen
                for topic, seen in stored.inputs.items()
            }
            for topic in self._log.inputs:
                inputs[topic] = await self._seen(topic, stored.inputs.get(topic), now[topic])
            updated = msgspec.structs.replace(
                stored, inputs=inputs, rules=self._rules if starting else stored.rules
            )
            if updated == stored:
                return stored
            return msgspec.structs.replace(updated, updated_at=rfc3339(self._clock.wall_ms()))

        self._record = await self._log.change_app_record(change)
        for topic in self._log.inputs:
            seen = self._record.inputs[topic]
            if seen.stopped is not None:
                self._log.stopped.stop(topic, seen.stopped)
            elif seen.topic_id is not None:
                self._log.stopped.known_ids[topic] = seen.topic_id

    async def _seen(self, topic: str, before: SeenInput | None, now: SeenInput) -> SeenInput:
        """How an input goes into the record."""
        reason = self._log.stopped.reasons.get(topic)
        if before is None:
            return msgspec.structs.replace(now, stopped=reason)
        if before.stopped is None and reason is None:
            reason = before.difference(now)
            if reason is None:  # a broker that was just started may not know the id yet
                return msgspec.structs.replace(now, topic_id=now.topic_id or before.topic_id)
            if not await self._has_read(topic):
                return now
        return msgspec.structs.replace(before, stopped=before.stopped or reason, is_read=True)

    async def _has_read(self, topic: str) -> bool:
        """Whether any partition of the app has read anything of this input."""
        return any(
            split_source(source)[0] == topic and position.offset > 0
            for raw in await self._log.checkpoints()
            if raw is not None
            for source, position in decode_checkpoint(raw).sources.items()
        )

    async def _new_record(self) -> AppRecord:
        """The record of an app that has none: it is new, or its record was lost.

        Raises Incompatible if a partition was folded under other settings than this worker has.
        """
        for number, raw in enumerate(await self._log.checkpoints()):
            if raw is None:
                continue
            if difference := self._fold.difference(decode_checkpoint(raw).fold):
                raise Incompatible(
                    f"app {self._log.app} has no record, and partition {number} was folded under other "
                    f"settings:\n{difference}\nNumbers folded under different rules do not add up: put the "
                    "settings back under which all of its partitions were folded, or start a new app id, and "
                    "replay"
                )
        return new_app_record(
            self._log.app,
            self._log.partitions,
            self._fold,
            rules=self._rules,
            now_ms=self._clock.wall_ms(),
        )

    def _report_stopped(self) -> None:
        for topic, reason in self._log.stopped.reasons.items():
            if topic not in self._reported:
                self._reported.add(topic)
                self._meters.stopped(topic)
                self._logger.error("input_stopped", input=topic, reason=reason)
