"""Answers that say what is wrong, as problem+json (RFC 9457)."""

from typing import Annotated

import msgspec
from starlette.responses import Response

from schemas.kinds import documented

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 2  # of what a moment may mend


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with a request, or why it cannot be answered now."""

    title: str
    status: int
    detail: str | None = None
    parameter: Annotated[str | None, documented("the one that is wrong")] = None


def problem_answer(
    status: int, title: str, *, detail: str | None = None, parameter: str | None = None, again: bool = False
) -> Response:
    """The answer. `again`: to ask again in a moment makes sense."""
    headers = {"Cache-Control": "no-store"}
    if again:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    body = msgspec.json.encode(Problem(title, status, detail, parameter))
    return Response(body, status, headers, media_type=PROBLEM_TYPE)
