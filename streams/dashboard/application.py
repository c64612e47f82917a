"""The live page and the API as an ASGI application."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import schemas
from streams.dashboard.answers import Story
from streams.dashboard.asked import Asked, BadParameter, read_asked
from streams.dashboard.event_stream import EventStream
from streams.dashboard.guard import COOKIE, Guard, Token
from streams.dashboard.hub import Figures, Hub
from streams.dashboard.problems import problem

STATIC = Path(__file__).parent / "static"
MOST_KEY = 1_024  # bytes of an id that is asked for; longer ones are rejected in the input, too
MOST_BODY = 8_192  # bytes of a request
MIN_COMPRESSED = 1_024  # bytes; below it costs more than it saves
RETRY_AFTER_S = 2
SIGNED_IN_S = 30 * 86_400  # a screen on a wall signs in once a month
JSON = "application/json"
PARTS = ("people", "moves", "purchases", "revenue", "cohort", "opened", "by", "hours", "dwell", "cues", "latest")
"""Parts of the overview that can be asked for alone, each at /api/NAME."""


class KeptElsewhere(Exception):
    """Who keeps a person is not certain now, or is too busy to answer."""


class ReadModel(Figures, Protocol):
    """What the API asks of the read model."""

    @property
    def dimensions(self) -> dict[str, list[str]]:
        """The values of each dimension that is counted."""

    @property
    def progress(self) -> list[schemas.PartitionProgress]:
        """How far each partition has come."""

    @property
    def is_ready(self) -> bool:
        """True when there are figures to show."""

    async def story(self, key: str) -> Story | None:
        """What is known of a person; None: nobody of that name is. Raises KeptElsewhere."""


class Api:
    """Answers the requests."""

    def __init__(self, model: ReadModel, hub: Hub, token: Token | None, shows_people: bool,
                 metrics: Callable[[], bytes]) -> None:  # fmt: skip
        self._model, self._hub, self._token = model, hub, token
        self._shows_people, self._metrics = shows_people, metrics

    async def page(self, _: Request) -> Response:
        """The page. What it shows comes from the API."""
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def login(self, request: Request) -> Response:
        """A form for the token, and its answer: a cookie that no script can read."""
        root = request.scope.get("root_path", "")
        if request.method == "GET":
            return FileResponse(STATIC / "login.html", headers={"Cache-Control": "no-cache"})
        said = (await _form(request)).get("token", "")
        if self._token is None or not self._token.is_token(said):
            return FileResponse(STATIC / "login.html", 401, headers={"Cache-Control": "no-store"})
        answer = RedirectResponse(f"{root}/", 303)
        answer.set_cookie(
            COOKIE, self._token.cookie, SIGNED_IN_S, path=f"{root}/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    async def livez(self, _: Request) -> Response:
        """The process answers."""
        return Response("ok\n", headers={"Cache-Control": "no-store"}, media_type="text/plain")

    async def readyz(self, _: Request) -> Response:
        """200 when there are figures to show."""
        if self._model.is_ready:
            return Response("ok\n", headers={"Cache-Control": "no-store"}, media_type="text/plain")
        return problem(503, "nothing has been read yet", retry_after_s=RETRY_AFTER_S)

    async def metrics(self, _: Request) -> Response:
        """For Prometheus."""
        return Response(self._metrics(), headers={"Cache-Control": "no-store"}, media_type="text/plain; version=0.0.4")

    async def overview(self, request: Request) -> Response:
        """All figures of the page."""
        return self._answer(request, self._model.overview(self._asked(request)))

    def part(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        """Answers with one part of the overview, and until when it is right."""

        async def answer(request: Request) -> Response:
            found = self._model.overview(self._asked(request))
            return self._answer(request, {"as_of": found.as_of, "state": found.state, name: getattr(found, name)})

        return answer

    async def progress(self, request: Request) -> Response:
        """How far each partition has come."""
        read_asked(request.query_params.multi_items(), {})
        return self._answer(request, {"partitions": self._model.progress})

    async def story(self, request: Request) -> Response:
        """What is known of a person. With POST the id is in the body, and in no log of addresses."""
        key = request.path_params.get("key")
        if key is None:
            body = await _body(request)
            try:
                key = msgspec.json.decode(body, type=_Key).key
            except msgspec.DecodeError as error:
                return problem(400, "the body cannot be read", detail=f'{error}: write {{"key": "ID"}}')
        if not self._shows_people:
            return problem(403, "persons are not shown here", detail="outside of loopback this needs a token")
        if not key or len(key.encode()) > MOST_KEY:
            return problem(400, f"an id has 1 to {MOST_KEY} bytes", parameter="key")
        try:
            found = await self._model.story(key)
        except KeptElsewhere as error:
            return problem(503, "this person cannot be asked for now", detail=str(error), retry_after_s=RETRY_AFTER_S)
        if found is None:
            return problem(404, "nobody of that name is known")
        return self._answer(request, found)

    async def stream(self, request: Request) -> Response:
        """What is new, as server-sent events: `overview` with all figures, `steps` with the newest moves."""
        asked = self._asked(request)
        return EventStream(self._hub.messages(asked), self._hub.drop)  # type: ignore[return-value]  # an ASGI answer

    def _asked(self, request: Request) -> Asked:
        return read_asked(request.query_params.multi_items(), self._model.dimensions)

    def _answer(self, request: Request, value: object) -> Response:
        """The answer, or 304 where the one who asks has it."""
        body = msgspec.json.encode(value)
        tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Cookie, Authorization"}
        known = [name.strip().removeprefix("W/") for name in request.headers.get("if-none-match", "").split(",")]
        if tag in known:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=JSON)


class _Key(msgspec.Struct, frozen=True):
    """The body of a request for a story."""

    key: str


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BODY:
            raise HTTPException(413, f"a request has at most {MOST_BODY} bytes")
    return body


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, as browsers send it."""
    return dict(parse_qsl((await _body(request)).decode(errors="replace")))


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _bad_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadParameter)
    return problem(400, "a parameter is wrong", detail=error.reason, parameter=error.name)


def application(model: ReadModel, *, token: str | None, shows_people: bool, metrics: Callable[[], bytes],
                monotonic_s: Callable[[], float]) -> Starlette:  # fmt: skip
    """The application. `token`: what others than this machine must know. `shows_people`: stories may be asked for.

    Behind a proxy the server sets the root path.
    """
    hub = Hub(model, monotonic_s)
    known = Token(token) if token is not None else None
    api = Api(model, hub, known, shows_people, metrics)

    @asynccontextmanager
    async def ticking(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(hub.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return Starlette(
        routes=[
            Route("/", api.page),
            Route("/login", api.login, methods=["GET", "POST"]),
            Route("/livez", api.livez),
            Route("/readyz", api.readyz),
            Route("/metrics", api.metrics),
            Route("/api/overview", api.overview),
            *(Route(f"/api/{name}", api.part(name)) for name in PARTS),
            Route("/api/progress", api.progress),
            Route("/api/profiles", api.story, methods=["POST"]),
            Route("/api/profiles/{key:path}", api.story),
            Route("/api/stream", api.stream),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        lifespan=ticking,
        middleware=[Middleware(Guard, known), Middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED)],
        exception_handlers={HTTPException: _http_problem, BadParameter: _bad_parameter},
    )
