"""`announce` on a real broker posts each committed transition from its first start on, and no older one."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from streams.host.application import App
from streams.settings.host import AnnounceSettings
from tests.host import hosting
from tests.kafka import topics
from tests.kafka.host_agents import PARTITIONS, Place, Written, kafka, notes, run, running, until


@pytest.fixture
def written() -> Written:
    return Written(topics.new_app(PARTITIONS))


@asynccontextmanager
async def webhook(posted: list[str]) -> AsyncIterator[str]:
    """The address of a receiver that fails now and then, and notes the keys of all posts."""

    async def take(request: web.Request) -> web.Response:
        posted.append(request.headers["Idempotency-Key"])
        return web.Response(status=503 if len(posted) % 5 == 2 else 200)

    site = web.Application()
    site.router.add_post("/", take)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def announcing(app: str, url: str) -> App:
    """An app that announces every opened journey, however old, and has no partition agents."""
    announce = AnnounceSettings(url=url, kinds=("opened",), max_age="3650d", hold="0s")
    return hosting.app(kafka=kafka(app), announce=announce)


def keys(revs: Collection[int]) -> set[str]:
    return {f"{rev:032x}:{rev}" for rev in revs}


async def test_announce_begins_with_what_comes_after_its_first_start(written: Written) -> None:
    """What was published before is not posted; what is published while it is away is, over restarts."""
    posted: list[str] = []
    await written.write([4])
    await written.write([2], commits=False)
    old = set(written.committed.values())
    async with webhook(posted) as url:
        async with running(announcing(written.app, url)):
            await written.write([3, 1])
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
        await written.write([5])
        await written.write([1], commits=False)
        async with running(announcing(written.app, url)):
            await written.write([1])
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
    assert len(posted) <= (len(written.committed) - len(old)) * 5 / 4 + 2


async def test_a_first_start_that_ends_before_it_has_posted_is_one_all_the_same(written: Written) -> None:
    """It began there: what came between the two starts is posted."""
    posted: list[str] = []
    await written.write([4])
    old = set(written.committed.values())
    async with webhook(posted) as url:
        await announcing(written.app, url).process.before_work[0]()
        await written.write([3])
        async with running(announcing(written.app, url)):
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))


async def test_announce_beside_an_agent_of_a_user(written: Written) -> None:
    """The agent gets all that the topic holds, and announce posts what comes after the first start."""
    posted: list[str] = []
    await written.write([4])
    old = set(written.committed.values())
    got: list[Place] = []

    def host(url: str) -> App:
        made = announcing(written.app, url)

        async def agent(stream: Any) -> None:
            await notes(stream, got)

        made.agent(made.outputs["transitions"], name="noting")(agent)
        return made

    async with webhook(posted) as url:
        for _ in range(2):
            async with running(host(url)):
                await written.write([2])
                await until(lambda: set(got) == set(written.committed))
                await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
            await written.write([1])


async def test_announce_is_turned_on_beside_agents_that_are_there_already(written: Written) -> None:
    """The agents go on where they were, and announce begins with what comes after that start."""
    posted: list[str] = []
    got: list[Place] = []
    await written.write([4])
    await run(written.app, lambda: len(got) == len(written.committed), got)
    await written.write([4])
    old = set(written.committed.values())

    async def agent(stream: Any) -> None:
        await notes(stream, got)

    async with webhook(posted) as url:
        host = announcing(written.app, url)
        host.agent(host.outputs["transitions"], name="noting")(agent)
        async with running(host):
            await written.write([2])
            await until(lambda: set(got) == set(written.committed))
            await until(lambda: keys(set(written.committed.values()) - old) == set(posted))
    assert len(got) == len(written.committed)
