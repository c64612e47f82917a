"""The dashboard as a process: it reads a log, serves the page, and stops when it is asked to."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator

import uvicorn

from streams.access import AccessToken, is_loopback
from streams.clock import Clock
from streams.dashboard.application import Api, application
from streams.dashboard.following import Following
from streams.dashboard.hub import Hub
from streams.dashboard.meters import DashboardMeters
from streams.dashboard.model import LiveModel
from streams.dashboard.snapshot_file import SnapshotFile
from streams.dashboard.stories import Stories
from streams.errors import ConfigError
from streams.log.port import Reader
from streams.settings.fold import FoldSettings
from streams.settings.host import DashboardSettings
from streams.topology import TALLIES, Topic

ANSWERING_S = 3  # for requests that are being answered when it stops
BACKLOG = 512  # connections that wait to be taken up


class Dashboard:
    """A dashboard of one app. `listen`, then `serve`."""

    def __init__(
        self,
        app: str,
        reader: Reader,
        stories: Stories,
        settings: DashboardSettings,
        on_trouble: Callable[[str], None],
        *,
        log_name: str | None = None,
        first_from: Topic = TALLIES,
    ) -> None:
        """`app`: its name, as the page shows it. `log_name`: which log it is, for a snapshot; None: there is
        none. `first_from`: the topic from which the newest counters come. Raises ConfigError where others
        would need no token, and where no snapshot can be written.
        """
        clock, snapshot = Clock(), None
        if settings.snapshot is not None and log_name is not None:
            snapshot = SnapshotFile(settings.snapshot, log_name, on_trouble)
        if settings.token is None and not is_loopback(settings.host):
            raise ConfigError(
                f"dashboard.host = {settings.host}: other machines could see the page, so it needs "
                "dashboard.token: set STREAMS_DASHBOARD__TOKEN, for example to what "
                "`openssl rand -hex 24` prints"
            )
        token = None if settings.token is None else AccessToken(settings.token.get_secret_value())
        self._settings, self._stories, self._sockets = settings, stories, list[socket.socket]()
        model, meters = LiveModel(app, reader.partitions), DashboardMeters()
        self._following = Following(reader, model, clock, on_trouble, snapshot, first_from=first_from)
        self._hub = Hub(model, clock)
        api = Api(model, self._hub, stories, meters, token, clock)
        self.application = application(api, meters, token, on_trouble)

    async def start(self, fold: FoldSettings) -> str:
        """Looks at the log and begins to listen; returns the address of the page.

        `fold`: the fold settings where nothing was processed yet. Raises ConfigError where it cannot listen,
        and what the log raises.
        """
        await self._following.start(fold)
        host, port = self._settings.host, self._settings.port
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, kind, protocol, _, address = found[0]
            listening = socket.socket(family, kind, protocol)
            self._sockets.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError as error:
            self.close()
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"dashboard.port = {port}: is taken on {host}, perhaps by another dashboard: give "
                    "--port N, or 0 for any that is free"
                ) from error
            raise ConfigError(
                f"dashboard.host = {host}, dashboard.port = {port}: cannot be served there: "
                f"{error.strerror or error}"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{listening.getsockname()[1]}{self._settings.root_path}/"

    def close(self) -> None:
        """Stops listening, if it was not served."""
        for listening in self._sockets:
            listening.close()

    async def serve(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set. Raises what the log raises that waiting does not mend."""
        server = _Server(
            uvicorn.Config(
                self.application,
                access_log=False,  # addresses may hold a person's id
                log_config=None,
                log_level="critical",
                lifespan="off",
                ws="none",
                server_header=False,
                root_path=self._settings.root_path,
                timeout_graceful_shutdown=ANSWERING_S,
            )
        )
        working = [
            asyncio.create_task(self._following.run(), name="following"),
            asyncio.create_task(self._hub.run(), name="hub"),
        ]
        preparing = asyncio.create_task(self._prepare(), name="stories")
        serving = asyncio.create_task(server.serve(self._sockets), name="serving")
        asked = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([*working, serving, asked], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.close()
            server.should_exit = True
            await serving
            others = (*working, preparing, asked)
            for task in others:
                task.cancel()
            ended = await asyncio.gather(*others, return_exceptions=True)
            self._following.keep()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _prepare(self) -> None:
        """Makes stories quick, once there are figures: those come first."""
        await self._following.has_figures.wait()
        await self._stories.prepare()


class _Server(uvicorn.Server):
    """It leaves signals to the command, which knows what else has to be closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
