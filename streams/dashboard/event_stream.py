"""An answer that goes on for as long as somebody listens."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.types import Receive, Scope, Send

WRITE_S = 20.0  # a listener that takes nothing for this long is dropped: it would hold memory for ever
HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold messages back
)


class EventStream:
    """An ASGI answer of an event stream. `dropped` is called if the listener takes nothing for too long."""

    def __init__(self, messages: AsyncIterator[bytes], dropped: Callable[[], None]) -> None:
        self._messages, self._dropped = messages, dropped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the listener has gone."""
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            found = await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._messages.aclose()  # type: ignore[attr-defined]  # an async generator
        for error in found:
            if isinstance(error, Exception) and not isinstance(error, asyncio.CancelledError):
                raise error

    async def _send_all(self, send: Send) -> None:
        async for message in self._messages:
            try:
                async with asyncio.timeout(WRITE_S):
                    await send({"type": "http.response.body", "body": message, "more_body": True})
            except TimeoutError:
                self._dropped()
                return


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
