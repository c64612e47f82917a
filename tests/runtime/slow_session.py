"""A log whose commits take as long as a test wants."""

import asyncio
from typing import Any

from streams.log.port import Session
from streams.records import Batch


class SlowSession:
    """A session whose commits wait."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.committing, self.may_commit = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def commit(self, batch: Batch) -> None:
        self.committing.set()
        await self.may_commit.wait()
        await self._session.commit(batch)
