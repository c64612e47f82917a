"""Decides who may ask. Without a token only this machine; with one, everybody who has it, as a header or a
cookie.
"""

import hashlib
import hmac
from ipaddress import ip_address

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.dashboard.problems import problem_answer

COOKIE = "journeys"
OPEN_PATHS = ("/livez", "/readyz", "/login", "/static/")  # they show nothing of anybody
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class AccessToken:
    """What others than this machine must know."""

    def __init__(self, token: str) -> None:
        self._hash = _digest(token)
        # What a browser keeps that has signed in. The token cannot be computed from it.
        self.cookie = hashlib.blake2b(self._hash, person=b"cookie").hexdigest()

    def is_token(self, given: str) -> bool:
        """True for the token. It takes as long for any other."""
        return hmac.compare_digest(_digest(given), self._hash)

    def may(self, asking: HTTPConnection) -> bool:
        """True if the request carries it, or the cookie of who has signed in."""
        kind, _, given = asking.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return hmac.compare_digest(asking.cookies.get(COOKIE, "").encode(), self.cookie.encode())


class Guard:
    """ASGI middleware: refuses who may not ask, and sets the headers that keep a page safe."""

    def __init__(self, app: ASGIApp, token: AccessToken | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE_HEADERS)
            await send(message)

        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._app)(scope, receive, send_safe)

    def _refusal(self, asking: HTTPConnection) -> Response | None:
        path = asking.scope["path"].removeprefix(asking.scope.get("root_path", ""))
        if self._token is None:
            if is_loopback(asking.url.hostname or ""):
                return None
            # A page of another site can make a browser ask this machine under a name of that site.
            return problem_answer(
                403,
                "this page is asked for under the name of another machine",
                detail="open it as http://127.0.0.1, or set dashboard.token",
            )
        if path.startswith(OPEN_PATHS) or self._token.may(asking):
            return None
        if path == "/":
            return RedirectResponse(f"{asking.scope.get('root_path', '')}/login", 303)
        answer = problem_answer(401, "this needs the token", detail="send it as Authorization: Bearer TOKEN")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer


def is_loopback(host: str) -> bool:
    """True for a name or an address under which only this machine can be reached."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), person=b"token").digest()
