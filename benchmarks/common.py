"""The common work: what every program in a comparison is given, and the
figure that this one's step takes for it.

    python -m benchmarks.common [--events 400000] [--profile 40]

Track calls of some 350 bytes, keyed by user, 20,000 users in no order, 8 event names drawn alike, spread over
an hour; 4 partitions in one process, in turn, as a worker has them. It is no shop: nearly every event moves
somebody, 0.8 transitions each. The same for the same arguments, on any machine.
"""

import argparse
import cProfile
import pstats
from collections.abc import Sequence
from random import Random
from time import gmtime, process_time, strftime
from zlib import crc32

import msgspec

from benchmarks.stages import SOURCE, Written, add, processor, quiet_collector
from streams.core.moments.rules import Rules, default_rules
from streams.core.processing.processor import Processor
from streams.records import Fetched, Record
from streams.runtime.collector import GC_THRESHOLD

START_MS = 1_735_689_600_000  # 2025-01-01: in the past on every machine whose clock is set
SPAN_MS = 3_600_000  # of event time, for FULL events
FULL = 1_000_000
NAMES = (
    "Product Viewed", "Products Searched", "Product List Viewed", "Product Added", "Store Located",
    "Checkout Started", "Order Completed",
    "Video Playback Started",
)  # fmt: skip
QUERIES = (
    "ristorante italiano a milano", "auto più economica", "come arrivare al ristorante", "prezzo honda civic",
    "meglio dolce o salato", "best phone",
)  # fmt: skip
CONTEXTS = tuple(
    f'"context":{{"device":{{"type":"{device}"}},"channel":"{channel}","country":"IT"}}'
    for device in ("mobile", "desktop", "tablet")
    for channel in ("web", "app")
)


def common(count: int, people: int = 20_000, seed: int = 1) -> list[Record]:
    """`count` records in order of time; the key is the user's id."""
    rnd = Random(seed)
    records = []
    for n in range(count):
        at_ms = START_MS + n * SPAN_MS // FULL
        person, h, name = (
            rnd.randrange(people),
            f"{rnd.getrandbits(128):032x}",
            NAMES[rnd.randrange(len(NAMES))],
        )
        stamp = strftime("%Y-%m-%dT%H:%M:%S", gmtime(at_ms // 1000))
        order = f',"order_id":"o{n}"' if name == "Order Completed" else ""
        value = (
            f'{{"type":"track","messageId":"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}","userId":"u{person}",'
            f'"anonymousId":"a{person * 7 % 30_000}",'
            f'"event":"{name}","timestamp":"{stamp}.{at_ms % 1000:03d}Z","properties":{{'
            f'"url":"https://shop.example/p/{rnd.randrange(1000)}",'
            f'"query":"{QUERIES[rnd.randrange(len(QUERIES))]}","price":12.5,"product_id":"p1"{order}}},'
            f"{CONTEXTS[person % len(CONTEXTS)]}}}"
        )
        records.append(Record(n, at_ms, f"u{person}".encode(), value.encode()))
    return records


def by_partition(records: Sequence[Record], partitions: int) -> list[list[Record]]:
    """The records of each partition, with offsets of their own."""
    parts: list[list[Record]] = [[] for _ in range(partitions)]
    for record in records:
        part = parts[crc32(record.key or b"") % partitions]
        part.append(msgspec.structs.replace(record, offset=len(part)))
    return parts


def run(
    parts: list[list[Record]], rules: Rules, batch: int, written: Written | None = None
) -> tuple[float, float, float]:
    """Processor time of take, advance and batch, us per event, of all partitions in turn."""
    pipelines: list[Processor] = [processor(rules) for _ in parts]
    taking = advancing = batching = 0.0
    for at in range(0, max(map(len, parts)), batch):
        for p, records in zip(pipelines, parts, strict=True):
            if not (part := records[at : at + batch]):
                continue
            t0 = process_time()
            p.take(Fetched.of(SOURCE, part))
            t1 = process_time()
            p.advance()
            t2 = process_time()
            made = p.batch()
            t3 = process_time()
            taking, advancing, batching = taking + t1 - t0, advancing + t2 - t1, batching + t3 - t2
            if written is not None:
                add(written, made)
    per = 1e6 / sum(map(len, parts))
    return taking * per, advancing * per, batching * per


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.common", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--batch", type=int, default=5_000, help="events per commit of a partition")
    parser.add_argument("--runs", type=int, default=3, help="of which the least counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", type=int, default=0, help="also the so many dearest functions")
    given = parser.parse_args(arguments)
    records = common(given.events, given.people, given.seed)
    size = sum(len(record.value or b"") for record in records) / len(records)
    parts, rules = by_partition(records, given.partitions), default_rules()
    written = Written.none()
    run(parts, rules, given.batch, written)
    with quiet_collector(GC_THRESHOLD):
        taking, advancing, batching = min(
            (run(parts, rules, given.batch) for _ in range(given.runs)), key=sum
        )
    whole = taking + advancing + batching
    print(
        f"{given.events:,} events of {size:.0f} bytes, {given.people:,} users, {given.partitions} "
        f"partitions, batches of {given.batch:,}"
    )
    print(
        f"us per event: {whole:.2f}   take {taking:.2f}, advance {advancing:.2f}, batch {batching:.2f}   "
        f"{1e6 / whole:,.0f} events/s"
    )
    for topic, n in sorted(written.topics.items()):
        print(
            f"  {topic:18}{n / given.events:6.2f} records{written.topic_bytes[topic] / given.events:8.1f} "
            "bytes per event"
        )
    for part, bytes_ in sorted(written.state.items()):
        print(
            f"  {'state: ' + part:18}{written.state_records[part] / given.events:6.2f} "
            f"records{bytes_ / given.events:8.1f} bytes per event"
        )
    if given.profile:
        with quiet_collector(GC_THRESHOLD), cProfile.Profile() as profile:
            run(parts, rules, given.batch)
        pstats.Stats(profile).sort_stats("tottime").print_stats(given.profile)


if __name__ == "__main__":
    main()
