"""Counts what the dashboard does; `metrics_text` shows it."""

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class DashboardMeters:
    """The figures of one process."""

    def __init__(self) -> None:
        self.requests = Counter[int]()  # by status

    def counting(self, app: ASGIApp) -> ASGIApp:
        """ASGI middleware that counts requests by status."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def count(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.requests[message["status"]] += 1
                await send(message)

            await app(scope, receive, count)

        return counted
