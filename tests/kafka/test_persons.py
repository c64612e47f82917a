"""Who is asked about on a cluster: by the dashboard, of workers that come and go."""

import json
from pathlib import Path

import pytest

from streams.core.ingest.partition import partition_of
from streams.dashboard.stories import StoryUnavailable
from streams.dashboard.stories_on_kafka import OwnersOfApp, StoriesOnKafka
from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.held_persons import OwnerUnavailable, PersonQuestion
from streams.queries.person import Person
from streams.queries.timeline import read_timelines
from streams.queries.worker_client import WorkerClient
from streams.records import NewRecord
from tests.cli.running import event
from tests.kafka import topics
from tests.kafka.broker import bootstrap
from tests.kafka.test_host import worker
from tests.kafka.waiting import eventually_async

PARTITIONS, TOKEN = 4, "twenty-four-random-letters"
WHO = [f"person{number}" for number in range(12)]
SECRET = {"STREAMS_WEB__TOKEN": TOKEN, "STREAMS_RULES": ""}


class Asking:
    """Asks for everybody, again and again."""

    def __init__(self, log: KafkaLog, client: WorkerClient) -> None:
        self.stories = StoriesOnKafka(log, client)
        self.known = set[str]()  # who was found once: from then on nobody may say that they are unknown
        self.unavailable = 0

    async def finds(self, who: str) -> bool:
        try:
            story = await self.stories.story(f"u:{who}", None, None)
        except StoryUnavailable:
            self.unavailable += 1
            return False
        assert story is not None or who not in self.known, f"{who} is called unknown"
        self.known |= {who} if story is not None else set()
        return story is not None

    async def finds_all(self) -> bool:
        return all([await self.finds(who) for who in WHO])


async def test_owners_answer_while_workers_come_and_go(tmp_path: Path) -> None:
    """A second worker joins, and the first one is killed: an answer comes from the owner, or it is said that
    there is none now.
    """
    app = topics.new_app(PARTITIONS)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    client = WorkerClient(TOKEN)
    asking, table = Asking(log, client), OwnersOfApp(log)
    with pytest.raises(StoryUnavailable, match="nothing has been processed yet"):
        await asking.stories.story("u:person0", None, None)
    happened = [event(who, name, f"10:{n:02d}:00") for n, who in enumerate(WHO) for name in NAMES]
    await log.append([NewRecord(_owner(e["userId"]), None, json.dumps(e).encode(), -1) for e in happened])
    with worker(app, tmp_path, env=SECRET) as a:
        await eventually_async(asking.finds_all, "one worker knows everybody")
        assert await asking.stories.story("u:nobody", None, None) is None
        story = await asking.stories.story("person3", None, None)
        assert story is not None
        (timeline,) = await read_timelines(log, Person("person3"))
        assert [step.id for step in timeline.journeys[0].steps] == [
            step.id for step in story.profiles[0].journeys[0].steps
        ]
        with worker(app, tmp_path, env=SECRET) as b:

            async def are_two() -> bool:
                await asking.finds_all()
                return len(set((await table.owners(0.0)).values())) == 2

            await eventually_async(are_two, "both workers have partitions")
            await eventually_async(asking.finds_all, "two workers know everybody")
            for address in {*(await table.owners(0.0)).values()}:
                for who in WHO:
                    found = await client.ask(address, PersonQuestion(f"u:{who}", (_owner(who),)))
                    assert 1 == len(found.profiles), f"{address} does not find {who}"
            stranger = WorkerClient("another-token-of-letters")
            with pytest.raises(OwnerUnavailable, match=r"web\.token must be the same"):
                await stranger.ask(address, PersonQuestion("u:person0", (0,)))
            await stranger.close()
            before = asking.unavailable
            a.popen.kill()
            await eventually_async(asking.finds_all, "the second worker knows everybody")
            assert asking.unavailable > before
            for output in (a.output, b.output):
                assert "person" not in output.read_text()
    await client.close()
    await log.close()


async def test_a_story_says_where_each_event_was_read(tmp_path: Path) -> None:
    """Of the person's own events and of one that a device gave, each in another partition; and after a
    restart, by the worker that has restored its partitions.
    """
    app, client = topics.new_app(PARTITIONS), WorkerClient(TOKEN)
    log = await KafkaLog.connect(Cluster(bootstrap()), app, [f"{app}.events"])
    viewed = event("", "Product Viewed", "10:00:00") | {"messageId": "seen", "anonymousId": "phone"}
    del viewed["userId"]
    signed_in = event("ann", "Signed In", "10:05:00", anonymousId="phone")
    bought = event("ann", "Order Completed", "10:06:00", messageId="paid")
    places = {}
    owner = _owner("ann")
    for partition, happened in (((owner + 1) % PARTITIONS, viewed), (owner, signed_in), (owner, bought)):
        await log.append([NewRecord(partition, None, json.dumps(happened).encode(), -1)])
        ends = await log.ends()
        places[happened["messageId"]] = f"{app}.events:{partition}:{ends[f'{app}.events:{partition}'] - 1}"
    del places[signed_in["messageId"]]  # it shows no intent
    stories = StoriesOnKafka(log, client)

    async def are_told() -> bool:
        try:
            story = await stories.story("u:ann", None, None)
        except StoryUnavailable:
            return False
        steps = [] if story is None else [s for j in story.profiles[0].journeys for s in j.steps]
        return places == {step.event: step.source for step in steps}

    for _ in range(2):
        with worker(app, tmp_path, env=SECRET | {"STREAMS_IDENTITY__ON": "true"}):
            await eventually_async(are_told, "the story has every place")
    await client.close()
    await log.close()


NAMES = ("Product Viewed", "Product Added", "Order Completed")


def _owner(who: str) -> int:
    return partition_of(who.encode(), PARTITIONS)
