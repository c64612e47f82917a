"""Asks a schema registry: the HTTP interface of Confluent's, which Redpanda, Karapace and Apicurio have too.

A registry answers with one of four things: a schema, the word that there is no such schema (a value), a
failure that may pass (Unavailable), or a refusal that will not (Refused).
"""

import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec

from streams.errors import Refused, Unavailable
from streams.log.kafka.registry.frame import SchemaKey

ASK_TIMEOUT_S = 10.0  # a registry answers from memory, in milliseconds
MAX_ANSWER_BYTES = 8 << 20  # the largest schemas of Debezium have some hundred KiB
MAX_REFERENCES = 256  # of one schema, all that they refer to included
_JSON_TYPES = "application/vnd.schemaregistry.v1+json, application/json"
_AGENT = "customer-journey-streams"
_COMPILED = "?format=serialized"
_TOO_OLD = (
    "gives Protobuf schemas as text only. Take a registry that compiles them (format=serialized): "
    "Confluent's, Redpanda from 25.2 on, Apicurio from 3.1.2 on, or Karapace"
)


IsCompiled = Callable[[str], bool]
"""Tells whether the text of a Protobuf schema is one that was compiled."""


class NoSchema(NamedTuple):
    """The registry has no such schema, or what it has cannot be taken."""

    detail: str


class RegisteredSchema(NamedTuple):
    """A schema as the registry has it."""

    kind: str  # AVRO, PROTOBUF, JSON
    text: str  # of Protobuf: compiled, in base64
    # What it refers to, by the names that it uses for them, each after those that it refers to itself.
    references: dict[str, str]


class _Reference(msgspec.Struct):
    name: str
    subject: str
    version: int


class _Answer(msgspec.Struct):
    """What a registry answers about a schema."""

    schema: str
    kind: str | None = msgspec.field(default=None, name="schemaType")
    references: list[_Reference] | None = None


class RegistryAccess(NamedTuple):
    """Where a registry is, and how to get in."""

    url: str  # without a slash at its end
    headers: Mapping[str, str]  # with the password or token
    tls: ssl.SSLContext | None  # None: what the system trusts


class RegistryClient:
    """Asks one registry. It connects when it is first asked."""

    def __init__(self, access: RegistryAccess, timeout_s: float = ASK_TIMEOUT_S) -> None:
        self._access, self._timeout_s = access, timeout_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return self._access.url

    async def check(self) -> None:
        """Returns if the registry is one and lets us in. Raises Refused, Unavailable."""
        if isinstance(await self._answer("/schemas/types"), NoSchema):
            raise Refused(
                f"no schema registry is at registry.url = {self.url}: it does not know /schemas/types"
            )

    async def schema(self, key: SchemaKey, is_compiled: IsCompiled) -> RegisteredSchema | NoSchema:
        """The schema with this number or GUID. Raises Refused, Unavailable."""
        path = f"/schemas/ids/{key}" if isinstance(key, int) else f"/schemas/guids/{key}"
        found = await self._get(path)
        if isinstance(found, NoSchema):
            return found
        kind = (found.kind or "AVRO").upper()
        if kind == "PROTOBUF":
            found = await self._get(path + _COMPILED)
            if isinstance(found, NoSchema):
                return found
        references: dict[str, str] = {}
        fault = await self._add_references(found, kind, references)
        if fault is not None:
            return fault
        if kind == "PROTOBUF" and not all(map(is_compiled, (found.schema, *references.values()))):
            raise Refused(f"the schema registry at {self.url} {_TOO_OLD}")
        return RegisteredSchema(kind, found.schema, references)

    async def _add_references(
        self, answer: _Answer, kind: str, known: dict[str, str], depth: int = 0
    ) -> NoSchema | None:
        for given in answer.references or ():
            name = given.name
            if name in known:
                continue
            if len(known) >= MAX_REFERENCES or depth >= MAX_REFERENCES:
                return NoSchema(f"it refers to more than {MAX_REFERENCES} others")
            path = f"/subjects/{quote(given.subject, safe='')}/versions/{given.version}"
            found = await self._get(path + (_COMPILED if kind == "PROTOBUF" else ""))
            if isinstance(found, NoSchema):
                where = f"{given.subject}, version {given.version}"
                return NoSchema(f"it refers to {name} ({where}), which is not there")
            fault = await self._add_references(found, kind, known, depth + 1)
            if fault is not None:
                return fault
            known[name] = found.schema
        return None

    async def _get(self, path: str) -> _Answer | NoSchema:
        """The schema at this path."""
        answer = await self._answer(path)
        if isinstance(answer, NoSchema):
            return answer
        try:
            return msgspec.convert(answer, _Answer)
        except msgspec.ValidationError as error:
            return NoSchema(f"the registry's answer is no schema: {error}")

    async def _answer(self, path: str) -> Any:
        """The JSON at this path, or NoSchema."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                headers={"Accept": _JSON_TYPES, "User-Agent": _AGENT, **self._access.headers},
            )
        tls = True if self._access.tls is None else self._access.tls
        try:
            async with self._session.get(self.url + path, ssl=tls, allow_redirects=False) as answer:
                body = await _body(answer)
                status, location = answer.status, answer.headers.get("Location", "elsewhere")
        except aiohttp.ClientConnectorCertificateError as error:
            raise Refused(
                f"the certificate of the schema registry at {self.url} is not trusted: see registry.ca_file "
                f"({error.certificate_error})"
            ) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise Unavailable(f"the schema registry at {self.url} does not answer: {why}") from error
        if body is None:
            return NoSchema(f"the registry's answer has more than {MAX_ANSWER_BYTES} bytes")
        return self._judged(status, path, body, location)

    def _judged(self, status: int, path: str, body: bytes, location: str) -> Any:
        what = f"the schema registry at {self.url} answers {status}"
        if status in (401, 403):
            keys = "registry.user and registry.password, or registry.token"
            raise Refused(f"{what} to {path}: it does not let us in: see {keys}")
        if 300 <= status < 400:
            raise Refused(f"{what}, with {location}: set registry.url to the address that is right")
        if status == 501:
            raise Refused(f"the schema registry at {self.url} {_TOO_OLD}")
        if status == 429 or status >= 500:
            raise Unavailable(what)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refused(
                f"{what} to {path}, and not in JSON: is registry.url = {self.url} a registry's address?"
            ) from error
        if status == 200:
            return answer
        code = answer.get("error_code") if isinstance(answer, dict) else None
        if code is None:
            raise Refused(f"{what} to {path}: is registry.url = {self.url} a registry's address?")
        return NoSchema(f"the registry says: {answer.get('message') or code}")

    async def close(self) -> None:
        """Hangs up."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _body(answer: aiohttp.ClientResponse) -> bytes | None:
    """What was answered; None if it is too much."""
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)
