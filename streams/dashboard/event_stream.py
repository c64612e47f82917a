"""An answer that goes on for as long as somebody listens."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

WRITE_S = 20.0  # a listener that takes nothing for this long is dropped: it would hold memory for ever
STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold messages back
}


class EventStream(Response):
    """An answer of server-sent events. `dropped` is called if the listener takes nothing for too long."""

    def __init__(
        self, messages: AsyncGenerator[bytes], dropped: Callable[[], None], write_s: float = WRITE_S
    ) -> None:
        super().__init__(headers=STREAM_HEADERS)
        del self.headers["content-length"]  # it has no end
        self._messages, self._dropped, self._write_s = messages, dropped, write_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the listener has gone, or the messages end."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            found = await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._messages.aclose()
        for error in found:
            if isinstance(error, Exception) and not isinstance(error, OSError):
                raise error

    async def _send_all(self, send: Send) -> None:
        async for message in self._messages:
            try:
                async with asyncio.timeout(self._write_s):
                    await send({"type": "http.response.body", "body": message, "more_body": True})
            except TimeoutError:
                self._dropped()
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
