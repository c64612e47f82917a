"""The live page and the API as an ASGI application."""

import hashlib
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
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

from streams.access import AccessToken
from streams.clock import Clock
from streams.dashboard.answers import Loading, Overview
from streams.dashboard.asked import Asked, BadParameter, read_asked, read_parameters
from streams.dashboard.endpoints import OVERVIEW_PARTS
from streams.dashboard.event_stream import EventStream
from streams.dashboard.funnel_request import read_funnel_request, read_instant
from streams.dashboard.guard import COOKIE, Guard
from streams.dashboard.hub import Hub, TooManyListeners
from streams.dashboard.meters import DashboardMeters
from streams.dashboard.model import LiveModel
from streams.dashboard.openapi import StoryRequest, openapi_document
from streams.dashboard.problems import problem_answer
from streams.dashboard.stories import Stories, StoryUnavailable
from streams.errors import Unavailable
from streams.queries.funnel_window import window_report

STATIC = Path(__file__).parent / "static"
MAX_KEY_BYTES = 1_024  # of an id that is asked for; longer ones are rejected in the input, too
MAX_BODY_BYTES = 8_192  # of a request
COMPRESSED_BYTES = 1_024  # smaller answers take longer to compress than to send
COMPRESSION = 5  # of 9: more costs twice the time for a hundredth of the bytes
SIGNED_IN_S = 30 * 86_400  # a screen on a wall signs in once a month
NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[[Request], Awaitable[Response]]


class NotReady(Exception):
    """What is asked for has not been read yet."""


class Api:
    """Answers the requests."""

    def __init__(
        self,
        model: LiveModel,
        hub: Hub,
        stories: Stories,
        meters: DashboardMeters,
        token: AccessToken | None,
        clock: Clock,
    ) -> None:
        self._model, self._hub, self._stories = model, hub, stories
        self._meters, self._token, self._clock = meters, token, clock
        self._openapi = msgspec.json.encode(openapi_document())

    async def page(self, _: Request) -> Response:
        """The page. What it shows comes from the API."""
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def login(self, request: Request) -> Response:
        """A form for the token, and its answer: a cookie that no script can read."""
        if request.method != "POST":
            return FileResponse(STATIC / "login.html", headers={"Cache-Control": "no-cache"})
        given = (await _form(request)).get("token", "")
        if self._token is None or not self._token.is_token(given.strip()):
            return FileResponse(STATIC / "login.html", 401, headers=NO_STORE)
        root = request.scope.get("root_path", "")
        answer = RedirectResponse(f"{root}/", 303)
        answer.set_cookie(
            COOKIE,
            self._token.cookie,
            SIGNED_IN_S,
            path=f"{root}/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    async def livez(self, _: Request) -> Response:
        """The process answers."""
        return Response("ok\n", headers=NO_STORE, media_type="text/plain")

    async def readyz(self, _: Request) -> Response:
        """200 when there are figures to show, and the log answers."""
        has_figures = self._model.known_from_ms is not None
        if has_figures and self._model.is_reachable:
            return Response("ok\n", headers=NO_STORE, media_type="text/plain")
        text = "the log does not answer" if has_figures else "the log is still being read"
        return problem_answer(503, text, again=True)

    async def metrics(self, _: Request) -> Response:
        """Metrics for Prometheus."""
        # Loaded when it is asked for: a start has no use for it.
        from streams.dashboard.metrics_text import metrics_text
        from streams.telemetry.meters import CONTENT_TYPE

        found = metrics_text(self._meters, self._model, self._hub, self._clock.wall_ms())
        return Response(found, headers={**NO_STORE, "Content-Type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """The API described for machines."""
        return _answer(request, self._openapi)

    async def overview(self, request: Request) -> Response:
        """All figures of the page."""
        return _answer(request, self._overview(request))

    def part(self, name: str) -> Handler:
        """Answers with one part of the overview, and until when it is right."""

        async def answer(request: Request) -> Response:
            found = self._overview(request)
            if name in found.unread or (name == "purchases" and "usual" in found.unread):
                raise NotReady
            fields = {"as_of": found.as_of, "state": found.state, name: getattr(found, name)}
            return _answer(request, fields)

        return answer

    def _overview(self, request: Request) -> Overview:
        asked = self._asked(request)
        found = self._model.shown(asked, self._clock.wall_ms())
        if isinstance(found, Loading):
            raise NotReady
        return found

    async def funnel(self, request: Request) -> Response:
        """The numbers of `streams funnel`."""
        given, now_ms = request.query_params.multi_items(), self._clock.wall_ms()
        asked = read_funnel_request(given, self._model.dimensions, now_ms, self._model.newest_ms)
        window = asked.window
        self._check_known(self._model.known_from_ms or 0 if window is None else window.start_ms)
        shown = None if window is None else window_report(window, self._model.as_of_ms)
        return _answer(request, self._model.funnel(window, shown, asked.where, asked.by))

    async def cohorts(self, request: Request) -> Response:
        """Cohorts one after the other."""
        asked = self._asked(request)
        self._check_known(self._model.cohort_window(asked.range).start_ms)
        return _answer(request, self._model.cohorts(asked))

    async def progress(self, request: Request) -> Response:
        """How far each partition has come."""
        read_parameters(request.query_params.multi_items(), ())
        return _answer(request, self._model.partitions(self._clock.wall_ms()))

    async def story(self, request: Request) -> Response:
        """What is known of a person. With POST the id is in the body, and in no log of addresses."""
        if request.method == "POST":
            read_parameters(request.query_params.multi_items(), ())
            try:
                asked = msgspec.json.decode(await _body(request), type=StoryRequest)
            except msgspec.DecodeError as error:
                return problem_answer(
                    400, "the body cannot be read", detail=f'{error}: write {{"key": "ID"}}'
                )
        else:
            given = read_parameters(request.query_params.multi_items(), ("at",))
            asked = StoryRequest(request.path_params["key"], given.get("at"))
        if not 0 < len(asked.key.encode()) <= MAX_KEY_BYTES:
            return problem_answer(400, f"an id has 1 to {MAX_KEY_BYTES} bytes", parameter="key")
        at_ms = None if asked.at is None else read_instant("at", asked.at, self._clock.wall_ms())
        try:
            found = await self._stories.story(asked.key, at_ms, self._model.as_of)
        except StoryUnavailable as error:
            return problem_answer(503, "the person cannot be looked up now", detail=str(error), again=True)
        if found is None:
            return problem_answer(404, "nobody of that name is known")
        return _answer(request, found)

    async def stream(self, request: Request) -> Response:
        """What is new, as server-sent events."""
        asked = self._asked(request)
        self._hub.check_room()
        last_id = request.headers.get("last-event-id", "")
        return EventStream(self._hub.messages(asked, last_id), self._hub.drop)

    def _asked(self, request: Request) -> Asked:
        return read_asked(request.query_params.multi_items(), self._model.dimensions)

    def _check_known(self, start_ms: int) -> None:
        """Raises NotReady where counters are missing of windows that begin then or later."""
        if not self._model.knows(start_ms):
            raise NotReady


def _answer(request: Request, value: object) -> Response:
    """The answer, or 304 where the one who asks has it."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding, Cookie, Authorization",
    }
    known = [name.strip().removeprefix("W/") for name in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"a request has at most {MAX_BODY_BYTES} bytes")
    return body


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, as browsers send it."""
    return dict(parse_qsl((await _body(request)).decode(errors="replace")))


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = problem_answer(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _bad_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadParameter)
    return problem_answer(400, "a parameter is wrong", detail=error.reason, parameter=error.name)


async def _not_ready(_: Request, error: Exception) -> Response:
    return problem_answer(503, "the log is still being read", again=True)


async def _too_many(_: Request, error: Exception) -> Response:
    return problem_answer(503, "too many listen already", again=True)


async def _unavailable(_: Request, error: Exception) -> Response:
    return problem_answer(503, "the log does not answer", again=True)


def application(
    api: Api, meters: DashboardMeters, token: AccessToken | None, on_trouble: Callable[[str], None]
) -> Starlette:
    """The application. Behind a proxy the server sets the root path. `on_trouble` gets texts of defects."""

    async def defect(_: Request, error: Exception) -> Response:
        # Without what the error holds, which may be somebody's id.
        lines = "".join(traceback.format_tb(error.__traceback__))
        on_trouble(f"defect: a request failed by {type(error).__name__}\n{lines}")
        return problem_answer(500, "this is a defect of the dashboard")

    get = {
        "/": api.page,
        "/livez": api.livez,
        "/readyz": api.readyz,
        "/metrics": api.metrics,
        "/api/openapi.json": api.openapi,
        "/api/overview": api.overview,
        **{f"/api/{name}": api.part(name) for name in OVERVIEW_PARTS},
        "/api/funnel": api.funnel,
        "/api/cohorts": api.cohorts,
        "/api/progress": api.progress,
        "/api/profiles/{key:path}": api.story,
        "/api/stream": api.stream,
    }
    return Starlette(
        routes=[
            *(Route(path, handler) for path, handler in get.items()),
            Route("/login", api.login, methods=["GET", "POST"]),
            Route("/api/profiles", api.story, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(meters.counting),
            Middleware(Guard, token),
            Middleware(GZipMiddleware, minimum_size=COMPRESSED_BYTES, compresslevel=COMPRESSION),
        ],
        exception_handlers={
            HTTPException: _http_problem,
            BadParameter: _bad_parameter,
            NotReady: _not_ready,
            TooManyListeners: _too_many,
            Unavailable: _unavailable,
            Exception: defect,
        },
    )
