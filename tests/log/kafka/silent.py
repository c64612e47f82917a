"""A broker that answers so many kinds of requests and then nothing more, and
knows which of its connections are open.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.coordination import FindCoordinatorResponse_v1
from aiokafka.protocol.metadata import MetadataResponse_v0

HEADER = struct.Struct(">ihhi")  # size, kind of request, its version, number of the request
# Each in one version. More than is answered, so that clients ask.
OFFERED = dict.fromkeys((0, 1, 2, 3, 8, 9, 11, 12, 13, 14, 18, 22, 24, 25, 26, 28, 32), 0) | {10: 1}


class Kind(IntEnum):
    """Requests, by their numbers in the protocol."""

    METADATA = 3
    COORDINATOR = 10
    VERSIONS = 18


class SilentBroker:
    """Listens on a loopback port."""

    def __init__(self, answered: frozenset[Kind]) -> None:
        self.port = 0
        self.connections: set[asyncio.StreamWriter] = set()
        self.accepted = 0
        self.silenced = asyncio.Event()  # a request has come that is not answered
        self._answered = answered

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        self.accepted += 1
        try:
            while True:
                size, kind, _, number = HEADER.unpack(await reader.readexactly(HEADER.size))
                await reader.readexactly(size - (HEADER.size - 4))
                if kind not in self._answered:
                    self.silenced.set()
                    continue
                body = struct.pack(">i", number) + self._answer(Kind(kind))
                writer.write(struct.pack(">i", len(body)) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    def _answer(self, kind: Kind) -> bytes:
        brokers = [(1, "127.0.0.1", self.port)]
        match kind:
            case Kind.VERSIONS:
                return bytes(
                    ApiVersionResponse_v0(
                        0, [(kind, version, version) for kind, version in OFFERED.items()]
                    ).encode()
                )
            case Kind.METADATA:
                return bytes(MetadataResponse_v0(brokers, []).encode())
            case Kind.COORDINATOR:
                return bytes(FindCoordinatorResponse_v1(0, 0, "", *brokers[0]).encode())


@asynccontextmanager
async def silent_broker(*answered: Kind) -> AsyncIterator[SilentBroker]:
    """One that answers these kinds of requests."""
    broker = SilentBroker(frozenset(answered))
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        for writer in list(broker.connections):
            writer.transport.abort()
        await asyncio.sleep(0)
