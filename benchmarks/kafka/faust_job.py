"""The same job as its users would write it in Faust: an agent, two tables, a topic out; at least once.

Says what it took, as JSON, and ends.

It knows less than the product does: no duplicates beyond eight, no late
events, no corrections, no silence, no needs.
"""

import json
import os
import sys
import time
from datetime import datetime
from typing import Any

import faust

from benchmarks.kafka.measure import peak_mib

BOOTSTRAP, APP, TOPIC, PARTITIONS, EVENTS = (
    sys.argv[1],
    sys.argv[2],
    sys.argv[3],
    int(sys.argv[4]),
    int(sys.argv[5]),
)
MOMENTS = {
    "Product Viewed": 0, "Product List Viewed": 0, "Products Searched": 0, "Store Located": 1,
    "Video Playback Started": 2, "Product Added": 3,
    "Checkout Started": 3, "Order Completed": 4,
}  # fmt: skip


class Event(faust.Record, serializer="json"):
    messageId: str
    userId: str
    event: str
    timestamp: str
    context: dict[str, Any]


class Journey(faust.Record, serializer="json"):
    id: str
    moment: int
    furthest: int
    opened: float
    entered: float
    recent: list[str]


class Transition(faust.Record, serializer="json"):
    id: str
    journey: str
    user: str
    kind: str
    before: int
    after: int
    at: float
    dwell: float
    event: str


app = faust.App(
    APP,
    broker=f"kafka://{BOOTSTRAP}",
    topic_partitions=PARTITIONS,
    web_enabled=False,
    stream_wait_empty=False,
    topic_disable_leader=True,
)
events = app.topic(TOPIC, value_type=Event)
transitions = app.topic(f"{APP}-moves", value_type=Transition, partitions=PARTITIONS)
journeys = app.Table("journeys", value_type=Journey, partitions=PARTITIONS)
counters = app.Table("counters", default=int, partitions=PARTITIONS)
done, began, began_cpu = 0, 0.0, 0.0


@app.agent(events)
async def follow(stream: Any) -> None:
    async for event in stream:
        count()
        moment, at = MOMENTS[event.event], datetime.fromisoformat(event.timestamp).timestamp()
        journey = journeys.get(event.userId)
        if journey is None:
            journey, kind, before, dwell = (
                Journey(event.messageId, moment, moment, at, at, []),
                "opened",
                -1,
                0.0,
            )
        elif event.messageId in journey.recent:
            continue
        else:
            before, dwell = journey.moment, at - journey.entered
            kind = "advanced" if moment > before else "returned"
        journey.recent = [*journey.recent[-7:], event.messageId]
        if moment != before:
            journey.moment, journey.furthest, journey.entered = moment, max(moment, journey.furthest), at
            device, channel = event.context["device"]["type"], event.context["channel"]
            counters[f"{int(at) // 60}|{moment}|{device}|{channel}"] += 1
            said = Transition(
                f"{journey.id}:{event.messageId}",
                journey.id,
                event.userId,
                kind,
                before,
                moment,
                at,
                dwell,
                event.messageId,
            )
            await transitions.send(key=event.userId, value=said)
        if moment == 4:
            journeys.pop(event.userId, None)
        else:
            journeys[event.userId] = journey


def count() -> None:
    global done, began, began_cpu
    if not done:
        began, began_cpu = time.perf_counter(), time.process_time()
    done += 1
    if done == EVENTS:
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        mib = peak_mib("self")
        said = json.dumps({"events": done, "seconds": seconds, "cpu_s": cpu_s, "mib": mib})
        print("\n" + said, file=sys.__stdout__, flush=True)  # Faust takes what is printed for its log
        os._exit(0)


if __name__ == "__main__":
    sys.argv = ["faust", "worker", "--without-web", "-l", "warn"]
    app.main()
