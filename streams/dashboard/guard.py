"""Who may ask. On loopback everybody; elsewhere only who has the token, as a header or as a cookie."""

import hashlib
import hmac

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.routing import get_route_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.dashboard.problems import problem

COOKIE = "journeys"
OPEN_PATHS = ("/livez", "/readyz", "/login", "/static/")  # nothing about anybody
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Token:
    """What others than this machine must know."""

    def __init__(self, token: str) -> None:
        self._hash = _digest(token)
        # What a browser keeps that has signed in: it is not the token itself.
        self.cookie = hashlib.blake2b(self._hash, person=b"cookie").hexdigest()

    def is_token(self, said: str) -> bool:
        """True for the token. It takes as long for any other."""
        return hmac.compare_digest(_digest(said), self._hash)

    def may(self, asking: HTTPConnection) -> bool:
        """True if the request carries it, or the cookie of who has signed in."""
        kind, _, said = asking.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(said.strip()):
            return True
        return hmac.compare_digest(asking.cookies.get(COOKIE, "").encode(), self.cookie.encode())


class Guard:
    """ASGI middleware: refuses who has no token, if there is one, and sets the headers that keep a page safe."""

    def __init__(self, app: ASGIApp, token: Token | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        path = get_route_path(scope)
        if self._token is None or path.startswith(OPEN_PATHS) or self._token.may(HTTPConnection(scope)):
            await self._app(scope, receive, send_safe)
            return
        answer: Response
        if path == "/":
            answer = RedirectResponse(f"{scope.get('root_path', '')}/login", 303)
        else:
            answer = problem(401, "this needs the token", detail="send it as Authorization: Bearer TOKEN")
            answer.headers["WWW-Authenticate"] = "Bearer"
        await answer(scope, receive, send_safe)


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), person=b"token").digest()
