"""Any sequence of opens, appends, commits, failures and reopenings gives what a few lists and dicts give."""

import asyncio
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from streams.errors import Fenced
from streams.log.port import Log, Session
from streams.records import Batch, NewRecord, Output, StateRecord
from streams.topology import OUTPUTS, Cleanup, Topic
from tests.contract.adapters import ADAPTERS, Store, need
from tests.contract.looking import input_ends, read, restored, scanned

Pairs = list[tuple[bytes, bytes | None]]
Outputs = list[tuple[Topic, bytes, bytes | None]]

PARTITIONS = 2
EXAMPLES = {"kafka": 8}  # each of their calls goes to a broker, and back
numbers = st.integers(0, PARTITIONS - 1)
keys = st.sampled_from([b"", b"\x00", b"a", b"b"])
values = st.none() | st.binary(max_size=3)
topics = st.sampled_from([topic for topic in OUTPUTS if topic.name in ("transitions", "current", "tallies")])
outputs = st.lists(st.tuples(topics, keys, values), max_size=5)
state = st.lists(st.tuples(keys, values), max_size=5)


class Machine(RuleBasedStateMachine):
    """Several sessions per partition are held at once; only the newest may commit."""

    adapter: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.store: Store = ADAPTERS[self.adapter](Path(self.directory.name), PARTITIONS)
        self.log: Log = self.store()
        self.sessions: list[list[Session]] = [[] for _ in range(PARTITIONS)]
        self.input: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self.appended: list[tuple[int, str, bytes, bytes | None]] = []
        self.latest: dict[tuple[int, str], dict[bytes, bytes]] = {}
        self.checkpoint: list[bytes | None] = [None] * PARTITIONS

    def teardown(self) -> None:
        self.loop.run(self.log.close())
        self.loop.close()
        self.directory.cleanup()

    @rule(number=numbers)
    def open(self, number: int) -> None:
        self.sessions[number].append(self.loop.run(self.log.open(number)))

    @rule()
    def reopen(self) -> None:
        self.loop.run(self.log.close())
        self.log = self.store()
        self.sessions = [[] for _ in range(PARTITIONS)]

    @rule(records=st.lists(st.tuples(numbers, st.binary(max_size=3)), max_size=4))
    def append(self, records: list[tuple[int, bytes]]) -> None:
        self.loop.run(self.log.append([NewRecord(number, None, value, 0) for number, value in records]))
        for number, value in records:
            self.input[number].append(value)

    @rule(
        number=numbers,
        which=st.integers(0, 9),
        outputs=outputs,
        state=state,
        checkpoint=st.binary(max_size=2),
    )
    def commit(self, number: int, which: int, outputs: Outputs, state: Pairs, checkpoint: bytes) -> None:
        if not self.sessions[number]:
            self.open(number)
        session = self.sessions[number][which % len(self.sessions[number])]
        records = [StateRecord(key, value) for key, value in state]
        batch = Batch([Output(topic.name, key, value) for topic, key, value in outputs], records, checkpoint)
        if session is not self.sessions[number][-1]:
            with pytest.raises(Fenced):
                self.loop.run(session.commit(batch))
            return
        self.loop.run(session.commit(batch))
        self.checkpoint[number] = checkpoint
        for topic, key, value in outputs:
            if topic.cleanup is Cleanup.DELETE:
                self.appended.append((number, topic.name, key, value))
            else:
                self._put(number, topic.name, key, value)
        for key, value in state:
            self._put(number, "state", key, value)

    def _put(self, number: int, topic: str, key: bytes, value: bytes | None) -> None:
        latest = self.latest.setdefault((number, topic), {})
        if value is None:
            latest.pop(key, None)
        else:
            latest[key] = value

    @rule(number=numbers, offset=st.integers(0, 12), limit=st.integers(1, 5))
    def read(self, number: int, offset: int, limit: int) -> None:
        if self.sessions[number]:
            offset = min(offset, len(self.input[number]))  # beyond the end is nobody who has read it
            records = self.loop.run(read(self.sessions[number][-1], offset, limit))
            expected = list(enumerate(self.input[number]))[offset : offset + limit]
            assert [(record.offset, record.value) for record in records] == expected

    @rule(number=numbers)
    def restore(self, number: int) -> None:
        self.open(number)
        found = self.loop.run(restored(self.sessions[number][-1]))
        assert (found.checkpoint, found.state) == (
            self.checkpoint[number],
            self.latest.get((number, "state"), {}),
        )

    @invariant()
    def readers_see_the_model(self) -> None:
        assert self.loop.run(input_ends(self.log)) == [len(values) for values in self.input]
        assert self.loop.run(self.log.checkpoints()) == self.checkpoint
        for number in range(PARTITIONS):
            found = self.loop.run(scanned(self.log, "transitions", number))
            assert found == [
                (number, key, value, ()) for where, _, key, value in self.appended if where == number
            ]
            for topic in ("current", "tallies"):
                latest = sorted(self.latest.get((number, topic), {}).items())
                assert self.loop.run(scanned(self.log, topic, number)) == [
                    (number, key, value, ()) for key, value in latest
                ]


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_any_sequence_of_calls_gives_what_the_model_gives(adapter: str) -> None:
    """The laws of the port hold in every order of things."""
    need(adapter)
    machine = type(f"{adapter.title()}Machine", (Machine,), {"adapter": adapter})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES.get(adapter, 25),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
