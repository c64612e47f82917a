"""How Faust reads the outputs for agents: what is committed, and every record at least once.

Four things of stock Faust 0.15.3 are done otherwise:
- *It reads transactions that were aborted*, outside its own "exactly once" mode. Ours reads committed records only.
- *It expects offsets without gaps*, and mends what it meets instead: marks of transactions, what an aborted one left and what compaction took away
  are gaps. Behind one right at the beginning of a partition it never commits again; the far end of each counts as done with it. Here a partition's
  position is the first record that was handed over and not come back, whatever the offsets between are.
- *It ends the process when a commit fails*, as it does while a broker is away. Ours offers the positions again.
- *It counts records as done that no agent has seen*: those that wait in a queue while partitions are moved or the worker stops. See `handing.py`.

The clients are made as all of ours are (`kafka_client.py`), so encryption and passwords need not be said twice.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode.utils.futures import notify
from yarl import URL

if TYPE_CHECKING:
    from streams.host.application import App

HEARTBEATS = 6  # in a session
ANSWER_MS = 10_000  # a join is answered when all members have come, or the session is over: a request waits for that and some


class Consumer(driver.Consumer):
    """Keeps account of what was handed over, in order, and of what came back."""

    def __init__(self, transport: "Transport", callback: Any, *args: Any, **options: Any) -> None:
        super().__init__(transport, self._hand_over, *args, **options)
        self._pass_on = callback
        self._under_way: dict[TP, deque[int]] = defaultdict(deque)
        self._position: dict[TP, int] = {}

    def _new_consumer_thread(self) -> "ConsumerThread":
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _hand_over(self, message: Message) -> None:
        if not self.flow_active or message.generation_id != self.app.consumer_generation_id:
            return  # partitions are being moved: it is read again by whoever has it then
        self._under_way[message.tp].append(message.offset)
        await self._pass_on(message)

    def ack(self, message: Message) -> bool:
        """Every agent is done with it."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        self._acked_index[message.tp].add(message.offset)
        self._acked[message.tp] = []  # that there is a key makes Faust ask for a new offset
        self._n_acked += 1
        notify(self._waiting_for_ack)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        """Where to go on after a crash: behind everything that has come back. None: nothing has."""
        under_way, done = self._under_way[tp], self._acked_index[tp]
        while under_way and under_way[0] in done:
            offset = under_way.popleft()
            done.discard(offset)
            self._position[tp] = offset + 1
        return self._position.get(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """What a broker does not take now is offered again at the next turn."""
        assigned = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if not ours:
            return False
        await self.app.producer.flush()  # what agents have said to these records is out
        if not await self._commit(ours):
            return False
        self._committed_offset.update(ours)
        self.app.monitor.on_tp_commit(ours)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps have no meaning here."""

    async def perform_seek(self) -> None:
        """Everything is handed over again from the committed positions on."""
        self.forget()
        await super().perform_seek()

    def forget(self) -> None:
        """The accounts of what was handed over until now."""
        for account in (self._under_way, self._position, self._acked, self._acked_index):
            account.clear()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        for tp in revoked:
            self._under_way.pop(tp, None)
            self._position.pop(tp, None)
        await super().on_partitions_revoked(revoked)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Its client."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        app = cast("App", self.app)
        session_ms = app.settings.kafka.session_timeout
        instance = app.settings.kafka.instance
        self._assignor = RoundRobinPartitionAssignor
        return AIOKafkaConsumer(
            **{**app.cluster.common(), "request_timeout_ms": session_ms + ANSWER_MS},
            group_id=app.conf.id,
            group_instance_id=instance,
            isolation_level="read_committed",
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # an agent that is new is told everything that there still is
            max_poll_records=app.conf.broker_max_poll_records,
            max_partition_fetch_bytes=app.conf.consumer_max_fetch_size,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(1, session_ms // HEARTBEATS),
            rebalance_timeout_ms=session_ms,
        )

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Faust ends the process when a broker is away just then; there is nothing to lose by waiting for it."""
        assigned = self.assignment()
        positions = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in assigned
        }
        try:
            await self._ensure_consumer().commit(positions)
        except (KafkaError, OSError, TimeoutError) as error:
            self.log.warning("positions of agents are not committed, which is tried again: %r", error)
            return False
        self.tp_last_committed_at.update(dict.fromkeys(offsets, monotonic()))
        return True


class Producer(driver.Producer):
    """For agents that send."""

    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        assert transactional_id is None, "Faust's transactions are not used"
        return cast("App", self.app).cluster.producer()


class Transport(driver.Transport):
    Consumer = Consumer
    Producer = Producer

    def __init__(self, app: "App") -> None:
        super().__init__([URL(url) for url in app.conf.broker_consumer], app)
