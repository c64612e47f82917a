"""Decides who may ask. Without a token only this machine; with one, everybody who has it, as a header or a
cookie.
"""

import hmac

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.access import AccessToken, is_loopback
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
        if path.startswith(OPEN_PATHS) or _may(self._token, asking):
            return None
        if path == "/":
            return RedirectResponse(f"{asking.scope.get('root_path', '')}/login", 303)
        answer = problem_answer(401, "this needs the token", detail="send it as Authorization: Bearer TOKEN")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer


def _may(token: AccessToken, asking: HTTPConnection) -> bool:
    """True if the request carries the token, or the cookie of who has signed in."""
    if token.is_in(asking.headers.get("authorization", "")):
        return True
    return hmac.compare_digest(asking.cookies.get(COOKIE, "").encode(), token.cookie.encode())
