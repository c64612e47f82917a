"""The API described for machines: OpenAPI 3.1, made of the endpoints and of the types of their answers."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from schemas.kinds import documented
from streams.dashboard.answers import Loading, Overview, ShownStep
from streams.dashboard.endpoints import ENDPOINTS, PARAMETERS, Endpoint
from streams.dashboard.problems import PROBLEM_TYPE, Problem

OPENAPI = "3.1.0"
API_CONTRACT = "1.0"
STREAM_ABOUT = (
    "`overview` has all figures, `steps` a list of the newest moves, retractions among them, and `loading` "
    "what was read so far. Figures are absolute: a message that was missed is mended by the next. "
    "`Last-Event-ID` brings the moves since then."
)


class StoryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for a story."""

    key: Annotated[str, documented("the id of a user or of a device, with u: or d: before it or without")]
    at: Annotated[str | None, documented(PARAMETERS["at"].about)] = None


def openapi_document() -> dict[str, Any]:
    """The document."""
    types: Sequence[Any] = [
        *(endpoint.answer for endpoint in ENDPOINTS if endpoint.answer is not None),
        *(Problem, StoryRequest, Loading, ShownStep),
    ]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method] = _operation(endpoint)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Customer journeys, live",
            "version": API_CONTRACT,
            "description": "What the live page shows (docs/dashboard.md). Everything is of one app.",
        },
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "if `dashboard.token` is set"}
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    name = endpoint.path.removeprefix("/api/").replace("/{", "_").rstrip("}")
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method}_{name}",
        "summary": endpoint.about,
        "parameters": [_parameter(name) for name in endpoint.parameters],
        "responses": {"200": _answer(endpoint), **_problems(endpoint)},
    }
    if "{key}" in endpoint.path:
        operation["parameters"].insert(
            0, {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}
        )
    if endpoint.method == "post":
        operation["requestBody"] = {"required": True, "content": _json(StoryRequest)}
    return operation


def _parameter(name: str) -> dict[str, Any]:
    about, schema = PARAMETERS[name]
    found = {"name": name, "in": "query", "required": False, "description": about, "schema": schema}
    return found


def _answer(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.answer is not None:
        return {"description": endpoint.about, "content": _json(endpoint.answer)}
    steps = {"type": "array", "items": _ref(ShownStep)}
    events = {"overview": _ref(Overview), "loading": _ref(Loading), "steps": steps}
    content = {"schema": {"type": "string"}, "x-events": events}
    return {"description": STREAM_ABOUT, "content": {"text/event-stream": content}}


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    problems = {"400": "a parameter is wrong", "401": "the token is missing", "503": "ask again in a moment"}
    if endpoint.answer is not None and "profiles" in endpoint.path:
        problems |= {"404": "nobody of that name is known"}
    content = {PROBLEM_TYPE: {"schema": _ref(Problem)}}
    return {status: {"description": text, "content": content} for status, text in problems.items()}


def _json(of: Any) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(of)}}


def _ref(of: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{of.__name__}"}
