"""The pages of a worker for those who operate it: health and metrics.

    /livez     200 while the process is worth keeping; on anything else, or no answer, restart it
    /readyz    200 when the worker works on all of its partitions, else 503; JSON says what is missing
    /metrics   for Prometheus (docs/metrics.md)

No page shows an event, a person, or a setting; Faust's own pages can show tables, and are off. They are
served on loopback unless `web.host` says otherwise.
"""

import errno
from typing import Any

import msgspec
from aiohttp import web
from faust.web.drivers.aiohttp import Web

from streams.errors import ConfigError
from streams.host.process import ProcessApp
from streams.host.service import WorkerService
from streams.runtime.status import WorkerStatus
from streams.telemetry.meters import CONTENT_TYPE

STANDSTILL_S = 60.0  # without a turn of the event loop; nothing intended takes half of it
CLOSE_S = 1.0  # for requests that are being answered when the worker stops
HEADERS = {"Cache-Control": "no-store"}


class Readiness(msgspec.Struct, frozen=True):
    """The answer of /readyz."""

    ready: bool
    joined: bool  # a member of the group, with partitions assigned
    assigned: int
    open: int
    missing: dict[str, str]  # partition -> what it waits for
    blocked: dict[str, str]  # source -> since when records wait there behind an open transaction


def readiness(status: WorkerStatus) -> Readiness:
    """A worker is ready when it is a member of the group and all partitions assigned to it are open."""
    missing = {
        str(partition): "restoring, {} of {} records".format(*status.restoring[partition])
        if partition in status.restoring
        else "opening"
        for partition in sorted(status.assigned - status.opened)
    }
    return Readiness(
        ready=status.joined and not missing,
        joined=status.joined,
        assigned=len(status.assigned),
        open=len(status.opened & status.assigned),
        missing=missing,
        blocked=dict(status.blocked),
    )


class Pages(Web):
    """Faust's web server with these pages. It also serves a page that a user adds with `@app.page`."""

    def __init__(self, app: ProcessApp, service: WorkerService) -> None:
        super().__init__(app)
        self._process, self._service = app.process, service
        self._host, self._port = app.process.settings.web.host, app.process.settings.web.port
        self._runner = web.AppRunner(self.web_app, access_log=None, shutdown_timeout=CLOSE_S)
        for path, page in (("/livez", self.livez), ("/readyz", self.readyz), ("/metrics", self.metrics)):
            self.web_app.router.add_get(path, page)

    def _enabled_blueprints(self) -> list[Any]:
        """None of Faust's pages."""
        return []

    async def livez(self, request: web.Request) -> web.Response:
        """503 when the event loop has not turned for a minute."""
        idle_s = self._process.clock.monotonic_s() - self._service.last_beat_s
        if idle_s > STANDSTILL_S:
            return web.Response(status=503, text=f"stood still for {idle_s:.0f} s\n", headers=HEADERS)
        return web.Response(text="ok\n", headers=HEADERS)

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when the worker works on all of its partitions."""
        found = readiness(self._service.status())
        return web.Response(
            status=200 if found.ready else 503,
            body=msgspec.json.encode(found),
            content_type="application/json",
            headers=HEADERS,
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """All metrics in Prometheus' text format."""
        headers = {**HEADERS, "Content-Type": CONTENT_TYPE}
        return web.Response(body=self._process.meters.render(), headers=headers)

    async def on_start(self) -> None:
        """Serves the pages. Raises ConfigError when the address is not available."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"web.port = {self._port}: is taken on {self._host}, perhaps by another worker: each "
                    "worker of a machine needs a port of its own (--web-port N, or STREAMS_WEB__PORT)"
                ) from error
            raise ConfigError(
                f"web.host = {self._host}, web.port = {self._port}: cannot be served there: "
                f"{error.strerror or error}"
            ) from error
        self._process.logger.info("serving", web=self.address)

    @property
    def address(self) -> str:
        """The URL of the pages; they must have been started."""
        return f"http://{self._host}:{self._runner.addresses[0][1]}"

    async def on_stop(self) -> None:
        await self._runner.cleanup()
