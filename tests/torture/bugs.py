"""Bugs that a worker of this kind may have: a run with one of them planted has to fail.

Changes of source text, as in `tests/planted`.
"""

from tests.planted import Bug

BUGS: dict[str, Bug] = {
    "unawaited": Bug(
        "a commit does not wait for the batches that it consists of",
        "streams.log.kafka.writer",
        (
            (
                "results = await asyncio.gather(*sent, return_exceptions=True)",
                "results = [future.add_done_callback(quirks.retrieve) for future in sent]",
            ),
        ),
    ),
    "unfenced": Bug(
        "each worker writes under an id of its own, which fences nobody",
        "streams.log.kafka.session",
        (
            (
                "partition_transaction(topics.app, partition)",
                "partition_transaction(topics.app, partition) + str(__import__('os').getpid())",
            ),
        ),
    ),
    "group-offsets": Bug(
        "where to go on is what the group's offsets say, and not the checkpoint",
        "streams.log.kafka.session",
        (
            (
                "state = await latest_records(self._cluster, ends, on_progress=on_progress)",
                "state = await latest_records(self._cluster, ends, on_progress=on_progress)\n"
                "            await _by_group(self, state)",
            ),
            (
                "async def _pairs(",
                '''async def _by_group(session: KafkaSession, state: dict[bytes, Record]) -> None:
    """Puts the offsets that are committed for the group into the checkpoint."""
    from aiokafka.admin import AIOKafkaAdminClient
    from streams.core.processing.checkpoint import decode_checkpoint, encode_checkpoint

    if CHECKPOINT not in state:
        return
    admin = AIOKafkaAdminClient(**session._cluster.common())
    await admin.start()
    known = await admin.list_consumer_group_offsets(session._topics.app)
    await admin.close()
    held = state[CHECKPOINT]
    c = decode_checkpoint(held.value)
    for place, source in session._sources.items():
        if place in known and source in c.sources:
            c.sources[source].offset = known[place].offset
    state[CHECKPOINT] = Record(held.offset, held.time_ms, held.key, encode_checkpoint(c))


async def _pairs(''',
            ),
        ),
    ),
    "forgetful": Bug(
        "what was redriven is remembered in memory only",
        "streams.core.processing.redriving",
        (
            (
                "            self.changed.append(redriven_record(name, fate))",
                "            pass",
            ),
        ),
    ),
    "unfenced-restore": Bug(
        "the state is restored before the former owner is fenced",
        "streams.log.kafka.session",
        (
            (
                '\n            await start(self._producer, cluster, f"{what} taken over")',
                "",
            ),
            (
                "ends = await self._end_offsets.settled([state_partition], final=True)\n"
                "            state = await latest_records(self._cluster, ends, on_progress=on_progress)",
                "ends = await self._end_offsets.settled([state_partition])\n"
                "            state = await latest_records(self._cluster, ends, on_progress=on_progress)\n"
                "            await start(self._producer, self._cluster, "
                'f"partition {self.partition} cannot be taken over")',
            ),
        ),
    ),
    "give-twice": Bug(
        "what a device gives to a user of another partition is sent twice",
        "streams.core.processing.connecting",
        (
            (
                "partition.open.send(Output(INBOX.name, person_key(move.user), message, (), owner))",
                "sent = Output(INBOX.name, person_key(move.user), message, (), owner)\n"
                "        for _ in range(1 + isinstance(move, Give)):\n"
                "            partition.open.send(sent)",
            ),
        ),
    ),
    "link-twice": Bug(
        "a link is sent twice",
        "streams.core.processing.connecting",
        (
            (
                "partition.open.send(Output(INBOX.name, person_key(device), message, (), owner))",
                "sent = Output(INBOX.name, person_key(device), message, (), owner)\n"
                "            partition.open.send(sent)\n"
                "            partition.open.send(sent)",
            ),
        ),
    ),
    "given-forgotten": Bug(
        "whom a device gave what is known in memory only, so nobody takes it back after a worker's end",
        "streams.core.identity.devices",
        (
            (
                "parts.append(given_part(device, name) if name else links_part(device))",
                "parts += [] if name else [links_part(device)]",
            ),
        ),
    ),
    "sent-remembered": Bug(
        "links count as sent that were sent in a batch which was never committed",
        "streams.core.processing.connecting",
        (
            (
                "self._sent: dict[tuple[str, str], tuple[int, int, str]] = {}",
                "self._sent = _SENT",
            ),
            (
                'NOT_TRUE = (None, False, 0, "", "0", "no", "false")',
                'NOT_TRUE = (None, False, 0, "", "0", "no", "false")\n_SENT = {}',
            ),
        ),
    ),
}
"""By the name that `--plant` knows."""
