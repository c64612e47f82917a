"""Answers that say what is wrong, as problem+json (RFC 9457)."""

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with a request, or why it cannot be answered now."""

    title: str
    status: int
    detail: str | None = None
    parameter: str | None = None  # the one that is wrong


def problem(status: int, title: str, *, detail: str | None = None, parameter: str | None = None,
            retry_after_s: int | None = None) -> Response:  # fmt: skip
    """The answer; with `retry_after_s`, when asking again makes sense."""
    headers = {"Cache-Control": "no-store"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    body = msgspec.json.encode(Problem(title, status, detail, parameter))
    return Response(body, status, headers, media_type=MEDIA_TYPE)
