"""What a worker shows to those who look after it, and nothing else: Faust's own pages can show the contents of tables.

    /livez     200 while the process is worth keeping; anything else, or no answer: restart it
    /readyz    200 when it has its partitions and works on all of them; else 503; both say as JSON what there is and what is missing
    /metrics   for Prometheus (docs/metrics.md)

No page shows an event, a person, or a setting. They are served on loopback unless `web.host` says otherwise.
"""

import errno
import time
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from faust.web.drivers.aiohttp import Web

from streams.errors import ConfigError
from streams.host.service import Status
from streams.telemetry.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from streams.host.application import App

STANDSTILL_S = 60.0  # the loop did not turn for so long: nothing that is meant to happen takes half of it
CLOSE_S = 1.0  # whoever is still being answered when the worker stops
HEADERS = {"Cache-Control": "no-store"}


def readiness(status: Status) -> dict[str, Any]:
    """What there is of a worker, and what is missing, by partition."""
    missing = {
        str(partition): "restoring, {} of {} records".format(*status.restoring[partition])
        if partition in status.restoring
        else "opening"
        for partition in sorted(status.assigned - status.opened)
    }
    return {
        "ready": status.joined and not missing,
        "joined": status.joined,
        "assigned": len(status.assigned),
        "open": len(status.opened & status.assigned),
        "missing": missing,
    }


class Pages(Web):
    """Faust's web server with these pages. A page that a user adds with `@app.page` is served too."""

    def __init__(self, app: "App") -> None:
        super().__init__(app)
        self._host, self._port = app.settings.web.host, app.settings.web.port
        self._app_of_ours = app
        self._runner = web.AppRunner(self.web_app, access_log=None, shutdown_timeout=CLOSE_S)
        for path, page in (("/livez", self.livez), ("/readyz", self.readyz), ("/metrics", self.metrics)):
            self.web_app.router.add_get(path, page)

    def _enabled_blueprints(self) -> list[Any]:
        """None of Faust's."""
        return []

    async def livez(self, request: web.Request) -> web.Response:
        still_s = time.monotonic() - self._app_of_ours.journeys.beat_s
        if still_s > STANDSTILL_S:
            return web.Response(status=503, text=f"stood still for {still_s:.0f} s\n", headers=HEADERS)
        return web.Response(text="ok\n", headers=HEADERS)

    async def readyz(self, request: web.Request) -> web.Response:
        said = readiness(self._app_of_ours.journeys.status())
        return web.Response(
            status=200 if said["ready"] else 503,
            body=orjson.dumps(said),
            content_type="application/json",
            headers=HEADERS,
        )

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=self._app_of_ours.meters.render(), headers={**HEADERS, "Content-Type": CONTENT_TYPE}
        )

    async def on_start(self) -> None:
        """Raises ConfigError when the address cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"web.port = {self._port}: is taken on {self._host}, by another worker perhaps: each worker of a machine needs a port of its own"
                    " (--web-port N, or STREAMS_WEB__PORT)"
                ) from error
            raise ConfigError(
                f"web.host = {self._host}, web.port = {self._port}: cannot be served there: {error.strerror or error}"
            ) from error
        self._app_of_ours.lines.info("serving", web=self.address)

    @property
    def address(self) -> str:
        """Where they are, once they are."""
        return f"http://{self._host}:{self._runner.addresses[0][1]}"

    async def on_stop(self) -> None:
        await self._runner.cleanup()
