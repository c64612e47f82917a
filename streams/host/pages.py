"""The pages of a worker for those who operate it: health and metrics.

    /livez     200 while the process is worth keeping; on anything else, or no answer, restart it
    /readyz    200 when the worker works on all of its partitions, else 503; JSON says what is missing
    /metrics   for Prometheus (docs/metrics.md)
    /profiles  what this worker holds of a person, for the dashboard and other workers, by POST

None of the first three shows an event, a person, or a setting; Faust's own pages can show tables, and are
off. They are served on loopback unless `web.host` says otherwise, and people elsewhere only with a token.
"""

import errno
import traceback
from typing import Any

import msgspec
from aiohttp import web
from faust.web.drivers.aiohttp import Web

from streams.access import AccessToken, is_loopback
from streams.errors import ConfigError
from streams.host.process import ProcessApp
from streams.host.service import WorkerService
from streams.queries.held_persons import PERSONS_PATH, OwnerUnavailable, PersonQuestion
from streams.runtime.status import WorkerStatus
from streams.settings.host import ADVERTISED, WebSettings
from streams.telemetry.meters import CONTENT_TYPE

STANDSTILL_S = 60.0  # without a turn of the event loop; nothing intended takes half of it
CLOSE_S = 1.0  # for requests that are being answered when the worker stops
ASK_AGAIN_S = 1  # of a question that cannot be answered now: a rebalance takes less, as a rule
EVERYWHERE = ("0.0.0.0", "::")  # addresses to listen on, at which nobody can be reached
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


def shows_people(settings: WebSettings) -> bool:
    """True if others can ask for people: on loopback, and elsewhere with a token."""
    return settings.token is not None or is_loopback(settings.host)


def advertised_address(settings: WebSettings, port: int) -> str | None:
    """Where others can ask for people, HOST:PORT; None: nowhere. `port`: the one that is served.

    Raises ConfigError if nobody can know it.
    """
    if not shows_people(settings):
        return None
    host = settings.advertise
    if host is None:
        if settings.host in EVERYWHERE:
            raise ConfigError(
                f"web.host = {settings.host} does not say where the dashboard and other workers reach this "
                "one: set web.advertise to its name or address (STREAMS_WEB__ADVERTISE=10.1.2.3), or leave "
                "out web.token, so that it shows no people"
            )
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
    parts = ADVERTISED.fullmatch(host)
    return f"{host}:{port}" if parts is None or parts[2] is None else host


class Pages(Web):
    """Faust's web server with these pages. It also serves a page that a user adds with `@app.page`."""

    def __init__(self, app: ProcessApp, service: WorkerService) -> None:
        super().__init__(app)
        self._process, self._service = app.process, service
        self._settings = app.process.settings.web
        self._host, self._port, token = self._settings.host, self._settings.port, self._settings.token
        self._token = None if token is None else AccessToken(token.get_secret_value())
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

    async def persons(self, request: web.Request) -> web.Response:
        """What this worker holds of a person. 503 if that cannot be known now, with the reason as text."""
        if self._token is None and not is_loopback(request.url.host or ""):
            # A page of another site can make a browser ask this machine under a name of that site.
            return web.Response(status=403, text="asked under the name of another machine\n", headers=HEADERS)
        if self._token is not None and not self._token.is_in(request.headers.get("Authorization", "")):
            needed = {**HEADERS, "WWW-Authenticate": "Bearer"}
            return web.Response(status=401, text="this needs web.token\n", headers=needed)
        try:
            question = msgspec.json.decode(await request.read(), type=PersonQuestion)
        except msgspec.DecodeError:
            return web.Response(status=400, text="the question cannot be read\n", headers=HEADERS)
        meters, desk = self._process.meters, self._service.desk
        try:
            if desk is None:
                raise OwnerUnavailable("the worker has just begun")
            answer = await desk.answer(question)
        except OwnerUnavailable as error:
            meters.asked_for_person(is_answered=False)
            later = {**HEADERS, "Retry-After": str(ASK_AGAIN_S)}
            return web.Response(status=503, text=str(error), headers=later)
        except Exception as error:  # without its text, which may be somebody's id
            trace = "".join(traceback.format_tb(error.__traceback__))
            self._process.logger.error("defect", reason=f"a question: {type(error).__name__}", trace=trace)
            return web.Response(status=500, text="this is a defect of the worker\n", headers=HEADERS)
        meters.asked_for_person(is_answered=True)
        body = msgspec.json.encode(answer)
        return web.Response(body=body, content_type="application/json", headers=HEADERS)

    async def on_start(self) -> None:
        """Serves the pages. Raises ConfigError when the address is not available."""
        if shows_people(self._settings):
            self.web_app.router.add_post(PERSONS_PATH, self.persons)
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
        port = self._runner.addresses[0][1]
        self._process.advertised = advertised_address(self._settings, port)
        self._process.logger.info("serving", web=self.address, people=self._process.advertised)

    @property
    def address(self) -> str:
        """The URL of the pages; they must have been started."""
        return f"http://{self._host}:{self._runner.addresses[0][1]}"

    async def on_stop(self) -> None:
        await self._runner.cleanup()
