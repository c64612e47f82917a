"""A small schema registry on loopback: what a test gives it, as Confluent's answers, and what was asked."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from google.protobuf.descriptor_pb2 import FileDescriptorProto


class SchemaServer:
    """Schemas by number or GUID, and those of subjects by name and version. Nothing of it is saved."""

    def __init__(self) -> None:
        self.schemas: dict[str, dict[str, Any]] = {}  # by "ids/7" or "guids/..."
        self.subjects: dict[tuple[str, int], dict[str, Any]] = {}
        self.compiles = True  # Protobuf, for `format=serialized`
        self.credentials: str | None = None  # the header that is asked for
        self.failing: int | None = None  # the status of every answer; None: it works
        self.asked: list[str] = []
        self.url = ""

    def avro(
        self, key: int | str, schema: Any, references: Mapping[str, tuple[str, int]] | None = None
    ) -> None:
        """Registers a schema of Avro. `references`: subject and version by name."""
        self._add(key, {"schema": json.dumps(schema)}, references)

    def json(self, key: int | str) -> None:
        """Registers a JSON schema."""
        self._add(key, {"schema": "{}", "schemaType": "JSON"}, None)

    def protobuf(
        self,
        key: int | str,
        file: FileDescriptorProto,
        references: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        """Registers a schema of Protobuf."""
        self._add(key, _compiled(file), references)

    def subject(
        self,
        name: str,
        version: int,
        schema: Any,
        references: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        """Registers a schema that others refer to: of Avro, or a file of Protobuf."""
        given = (
            _compiled(schema) if isinstance(schema, FileDescriptorProto) else {"schema": json.dumps(schema)}
        )
        self.subjects[name, version] = given | _referring(references)

    def _add(
        self, key: int | str, answer: dict[str, Any], references: Mapping[str, tuple[str, int]] | None
    ) -> None:
        path = f"ids/{key}" if isinstance(key, int) else f"guids/{key}"
        self.schemas[path] = answer | _referring(references)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What a registry answers."""
        self.asked.append(request.path_qs)
        if self.failing is not None:
            return web.Response(status=self.failing)
        if self.credentials is not None and request.headers.get("Authorization") != self.credentials:
            return _no(401, 40101, "Unauthorized")
        if request.path == "/schemas/types":
            return web.json_response(["JSON", "PROTOBUF", "AVRO"])
        parts = request.path.split("/")
        if parts[1] == "schemas":
            found = self.schemas.get("/".join(parts[2:]))
        elif parts[1] == "subjects":
            found = self.subjects.get((parts[2], int(parts[4])))
        else:
            return _no(404, 404, "HTTP 404 Not Found")
        if found is None:
            return _no(404, 40403, "Schema not found")
        if (
            isinstance(found, dict)
            and found.get("schemaType") == "PROTOBUF"
            and (request.query.get("format") != "serialized" or not self.compiles)
        ):
            found = found | {"schema": 'syntax = "proto3"; message Click {}'}
        return web.json_response(found)


@asynccontextmanager
async def schema_server(
    server: SchemaServer | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[SchemaServer]:
    """The registry, as long as the block runs."""
    server = server or SchemaServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)  # a test that fails leaves a client
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    try:
        await site.start()
        host, bound = runner.addresses[0][:2]
        server.url = f"{'http' if tls is None else 'https'}://{host}:{bound}"
        yield server
    finally:
        await runner.cleanup()


def _compiled(file: FileDescriptorProto) -> dict[str, Any]:
    return {"schema": base64.b64encode(file.SerializeToString()).decode(), "schemaType": "PROTOBUF"}


def _referring(references: Mapping[str, tuple[str, int]] | None) -> dict[str, Any]:
    given = [
        {"name": name, "subject": subject, "version": version}
        for name, (subject, version) in (references or {}).items()
    ]
    return {"references": given} if given else {}


def _no(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=status)
