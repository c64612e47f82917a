"""The least that any program in Python does: reads the input and decodes it. Says what that took, as JSON."""

import asyncio
import json
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.kafka.measure import peak_mib


class Event(msgspec.Struct, gc=False, rename="camel"):
    """What the others look at too."""

    message_id: str
    event: str
    timestamp: str
    user_id: str | None = None
    anonymous_id: str | None = None
    properties: dict[str, object] | None = None
    context: dict[str, object] | None = None


async def main(bootstrap: str, topic: str, partitions: int, events: int) -> None:
    decode = msgspec.json.Decoder(Event).decode
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    places = [TopicPartition(topic, n) for n in range(partitions)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    done, began, began_cpu = 0, time.perf_counter(), time.process_time()
    while done < events:
        for records in (await consumer.getmany(timeout_ms=500, max_records=5_000)).values():
            for record in records:
                decode(record.value)
            done += len(records)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    mib = peak_mib("self")
    print(json.dumps({"events": done, "seconds": seconds, "cpu_s": cpu_s, "mib": mib}), flush=True)
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
