"""Asks a dashboard without a network: its application is called as a server would call it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message

from streams.access import AccessToken
from streams.clock import Clock
from streams.dashboard.application import Api, application
from streams.dashboard.following import Following
from streams.dashboard.hub import Hub
from streams.dashboard.meters import DashboardMeters
from streams.dashboard.model import LiveModel
from streams.dashboard.stories import StoriesOfLog
from streams.log.memory import MemoryLog
from streams.log.port import EmbeddedReader
from streams.queries.instants import ms_of
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.queries.written import RULES, written

TOKEN = "twenty-four-random-letters"


class Answer(NamedTuple):
    """What the application answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class StillClock(Clock):
    """A wall clock that stands still, so that answers do not change by themselves."""

    def __init__(self, now: str = "2024-05-06T01:02:03Z") -> None:
        self.now_ms = ms_of(now)

    def wall_ms(self) -> int:
        return self.now_ms


class AskedDashboard:
    """A dashboard of a log, and the parts that it is made of."""

    def __init__(self, log: EmbeddedReader, token: str | None = None, root_path: str = "") -> None:
        clock = self.clock = StillClock()
        self.log, self.root_path = log, root_path
        self.model, self.meters = LiveModel("shop", log.partitions), DashboardMeters()
        self.troubles: list[str] = []
        self.following = Following(log, self.model, clock, self.troubles.append)
        self.hub = Hub(self.model, clock)
        known = None if token is None else AccessToken(token)
        api = Api(self.model, self.hub, StoriesOfLog(log), self.meters, known, clock)
        self.application: ASGIApp = application(api, self.meters, known, self.troubles.append)

    async def read(self) -> "AskedDashboard":
        """Reads all that is in the log."""
        await self.following.start(Settings().fold)
        while not await self.following.turn():
            pass
        return self

    async def get(self, address: str, **headers: str) -> Answer:
        """The answer to a GET."""
        return await self.ask("GET", address, b"", headers)

    async def post(self, address: str, body: bytes, **headers: str) -> Answer:
        """The answer to a POST."""
        return await self.ask("POST", address, body, headers)

    async def ask(self, method: str, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, once all of it is there. In names of headers _ stands for -."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self.application(self._scope(method, address, headers), _receiver(body), send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(message["body"] for message in sent[1:]))

    @asynccontextmanager
    async def listening(self, address: str, **headers: str) -> AsyncGenerator[asyncio.Queue[str]]:
        """The messages of a stream as they come; the listener leaves at the end."""
        messages: asyncio.Queue[str] = asyncio.Queue()
        left = asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                for text in message["body"].decode().split("\n\n"):
                    if text:
                        messages.put_nowait(text)

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        listening = asyncio.create_task(
            _run(self.application, self._scope("GET", address, headers), receive, send)
        )
        try:
            yield messages
        finally:
            left.set()
            await listening

    def _scope(self, method: str, address: str, headers: Mapping[str, str]) -> dict[str, Any]:
        url = urlsplit(address)
        given = {
            "host": "127.0.0.1:6067",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return {
            "type": "http",
            "method": method,
            "path": self.root_path + url.path,
            "root_path": self.root_path,
            "query_string": url.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "scheme": "http",
            "server": ("127.0.0.1", 6067),
            "http_version": "1.1",
        }


async def _run(app: ASGIApp, *given: Any) -> None:
    await app(*given)


def _receiver(body: bytes) -> Any:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()  # the one who asks stays
        return messages.pop()

    return receive


async def asked(log: EmbeddedReader, **given: Any) -> AskedDashboard:
    """A dashboard that has read the log."""
    return await AskedDashboard(log, **given).read()


async def shown(records: Sequence[bytes], partitions: int = 1, **settings: Any) -> MemoryLog:
    """A log in which these records were processed, and whose `progress` has all of it."""
    log = await written(records, partitions, **settings)
    for number in range(partitions):
        agent = await PartitionAgent.open(log, number, Settings(**settings), RULES)
        await agent.step(checkpoint=True)
    return log
