"""Records are decoded where they are read: each schema is asked for once, and a registry that does not answer
rejects nothing.
"""

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from streams.clock import Clock
from streams.core.ingest.event import MAX_RECORD_BYTES, Reason
from streams.core.ingest.headers import SCHEMA_HEADER
from streams.core.ingest.unreadable import rejection_in
from streams.errors import Refused, Unavailable
from streams.log.kafka.registry import decoding
from streams.log.kafka.registry.access import record_decoder
from streams.log.kafka.registry.decoding import RecordDecoder
from streams.records import DecodedRecord, Headers, Record
from streams.settings.registry import RegistrySettings
from tests.log.kafka.registry.messages import GUID, avro, clicks, frame, new_message, shop_file
from tests.log.kafka.registry.schema_server import SchemaServer, schema_server

AT = datetime(2024, 5, 20, 10, 13, 20, 123000, UTC)
CLICK = {
    "type": "track",
    "timestamp": AT,
    "userId": "4711",
    "event": "Product Viewed",
    "properties": {},
}
BODY = avro(clicks(), CLICK)
GIVE_UP_S = 60.0  # of a test that waits for a registry that fails


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before asking again."""
    monkeypatch.setattr(decoding, "ASKED_AGAIN_S", 0.0)
    monkeypatch.setattr(decoding, "SOONEST_QUESTION_S", 1e-6)
    monkeypatch.setattr(decoding, "LATEST_QUESTION_S", 1e-6)


def decoder(server: SchemaServer, **settings: Any) -> RecordDecoder:
    """What decodes records by this registry."""
    made = record_decoder(RegistrySettings(url=server.url, **settings), patience_s=GIVE_UP_S)
    assert made is not None
    return made


def record(value: bytes | None, headers: Headers = (), offset: int = 0) -> Record:
    return Record(offset, 1_000, b"key", value, headers)


async def decode(made: RecordDecoder, *values: bytes | None) -> list[Record]:
    """The records with these values, decoded."""
    return await made.decoded([record(value, offset=n) for n, value in enumerate(values)])


def rejected(found: Record) -> tuple[Reason, str]:
    """Why a record was marked as one to be rejected."""
    rejection = rejection_in(found.headers)
    assert rejection is not None, found
    return rejection.reason, rejection.detail


async def test_a_record_becomes_json() -> None:
    """It keeps its place, time, key, headers, and what its value was; other records are as they were."""
    async with schema_server() as server:
        server.avro(7, clicks())
        made = decoder(server)
        others = [b'{"type": "track"}', None, b"", b"text", frame(9, b'{"a": 1}')]
        found = await made.decoded(
            [record(frame(7, BODY), (("a", b"b"),), 5), *[record(value) for value in others]]
        )
        assert isinstance(found[0], DecodedRecord)
        assert frame(7, BODY) == found[0].original
        assert (5, 1_000, b"key", (("a", b"b"),), 0) == (
            found[0].offset, found[0].time_ms, found[0].key, found[0].headers, found[0].index,
        )  # fmt: skip
        assert "4711" == json.loads(found[0].value or b"")["userId"]
        assert [record(value) for value in others] == found[1:]
        assert ["/schemas/ids/7"] == server.asked
        await made.close()


async def test_records_without_a_schema_ask_nobody() -> None:
    """A list of them is the very list that was given."""
    made = record_decoder(RegistrySettings(url="http://127.0.0.1:9"), patience_s=0)
    assert made is not None
    given = [record(b'{"type": "track"}'), record(frame(9, b'{"type": "track"}'))]
    assert given is await made.decoded(given)


async def test_a_schema_is_asked_for_once() -> None:
    """Whatever becomes of the registry: a number never means another schema."""
    async with schema_server() as server:
        server.avro(7, clicks())
        made = decoder(server)
        await decode(made, frame(7, BODY), frame(7, BODY))
        server.failing = 503
        (found,) = await decode(made, frame(7, BODY))
        assert isinstance(found, DecodedRecord)
        assert ["/schemas/ids/7"] == server.asked
        await made.close()


async def test_protobuf_by_number_and_by_guid() -> None:
    """The registry compiles the schema and what it imports."""
    imported = shop_file()
    message = new_message(imported, "shop.Click")
    message.MergeFromString(b"\x1a\x044711")  # user_id
    wrapper = _wrapper()
    async with schema_server() as server:
        server.subject("shop-click", 3, imported)
        server.protobuf(7, wrapper, {"shop.proto": ("shop-click", 3)})
        server.protobuf(GUID, imported)
        made = decoder(server)
        body = b"\x0a\x06" + message.SerializeToString()
        in_header = ((SCHEMA_HEADER, b"\x01" + UUID(GUID).bytes + b"\x02\x02"),)
        found = await made.decoded(
            [record(frame(7, b"\0" + body)), record(message.SerializeToString(), in_header)]
        )
        assert [b'{"click":{"userId":"4711"}}', b'{"userId":"4711"}'] == [one.value for one in found]
        assert {
            "/schemas/ids/7",
            "/schemas/ids/7?format=serialized",
            "/subjects/shop-click/versions/3?format=serialized",
            f"/schemas/guids/{GUID}",
            f"/schemas/guids/{GUID}?format=serialized",
        } == set(server.asked)
        await made.close()


def _wrapper() -> Any:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

    file = FileDescriptorProto(name="wrapper.proto", package="shop", syntax="proto3")
    file.dependency.append("shop.proto")
    file.message_type.add(name="Wrapper").field.add(
        name="click", number=1, type=FieldDescriptorProto.TYPE_MESSAGE, type_name=".shop.Click", label=1
    )
    return file


async def test_schemas_that_refer_to_each_other() -> None:
    """What is referred to comes before those that refer to it, and each once."""
    async with schema_server() as server:
        server.subject(
            "money", 1, {"type": "record", "name": "shop.Money", "fields": [{"name": "v", "type": "int"}]}
        )
        server.subject(
            "price", 2,
            {"type": "record", "name": "shop.Price", "fields": [{"name": "net", "type": "shop.Money"}]},
            {"shop.Money": ("money", 1)},
        )  # fmt: skip
        server.avro(
            7,
            {"type": "record", "name": "shop.Order", "fields": [
                {"name": "price", "type": "shop.Price"}, {"name": "tax", "type": "shop.Money"},
            ]},
            {"shop.Price": ("price", 2), "shop.Money": ("money", 1)},
        )  # fmt: skip
        made = decoder(server)
        (found,) = await decode(made, frame(7, b"\x02\x04"))
        assert b'{"price":{"net":{"v":1}},"tax":{"v":2}}' == found.value
        assert 3 == len(server.asked)
        await made.close()


async def test_a_reference_that_is_not_there() -> None:
    """The detail names it."""
    async with schema_server() as server:
        server.avro(7, ["shop.Money"], {"shop.Money": ("money", 1)})
        made = decoder(server)
        (found,) = await decode(made, frame(7, b"\0\0"))
        assert (
            Reason.BINARY,
            "the schema 7 of the schema registry: it refers to shop.Money (money, version 1), which is not "
            "there",
        ) == rejected(found)
        await made.close()


async def test_a_circle_of_references_ends() -> None:
    """A registry makes none, but who knows."""
    async with schema_server() as server:
        server.subject("a", 1, "string", {"B": ("b", 1)})
        server.subject("b", 1, "string", {"A": ("a", 1)})
        server.avro(7, "string", {"A": ("a", 1)})
        made = decoder(server)
        (found,) = await decode(made, frame(7, b"\0"))
        assert "it refers to more than 256 others" in rejected(found)[1]
        await made.close()


async def test_a_json_schema_leaves_the_record() -> None:
    """The door reads JSON, and says what else it may be."""
    async with schema_server() as server:
        server.json(7)
        made = decoder(server)
        given = record(frame(7, b"{no json"))
        assert [given] == await made.decoded([given])
        await made.close()


async def test_an_unknown_schema_rejects_its_records() -> None:
    """It is asked for twice, since a copy of a registry may be behind, and then for a minute no more."""
    async with schema_server() as server:
        clock = _Clock()
        made = decoder(server)
        made._clock = clock
        for _ in range(3):
            (found,) = await decode(made, frame(8, BODY))
            assert (
                Reason.BINARY, "the schema 8 of the schema registry: the registry says: Schema not found"
            ) == rejected(found)  # fmt: skip
            assert frame(8, BODY) == found.value
        assert ["/schemas/ids/8"] * 2 == server.asked
        server.avro(8, clicks())
        clock.now_s += decoding.UNKNOWN_FOR_S
        (found,) = await decode(made, frame(8, BODY))
        assert isinstance(found, DecodedRecord)
        await made.close()


class _Clock(Clock):
    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s


async def test_a_schema_that_a_copy_of_the_registry_has_a_moment_later() -> None:
    """The second question finds it."""
    async with schema_server() as server:
        server.schemas = _OneLate({})
        server.avro(7, clicks())
        made = decoder(server)
        (found,) = await decode(made, frame(7, BODY))
        assert isinstance(found, DecodedRecord)
        assert 2 == len(server.asked)
        await made.close()


class _OneLate(dict[str, Any]):
    """Has nothing when it is asked first."""

    asked = False

    def get(self, key: str, default: Any = None) -> Any:
        first, self.asked = not self.asked, True
        return None if first else super().get(key, default)


async def test_many_numbers_that_nobody_registered() -> None:
    """Binary data may look like a frame with any number: each is asked for twice, and few are remembered."""
    async with schema_server() as server:
        made = decoder(server)
        found = await decode(made, *[frame(n, b"\x02") for n in range(300)])
        assert all("Schema not found" in rejected(one)[1] for one in found)
        assert 600 == len(server.asked)
        await made.close()


async def test_what_was_learned_first_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is asked for again."""
    monkeypatch.setattr(decoding, "MAX_SCHEMAS", 2)
    monkeypatch.setattr(decoding, "MAX_UNKNOWN", 2)
    async with schema_server() as server:
        for number in range(5):
            server.avro(number, "string")
        made = decoder(server)
        found = await decode(made, *[frame(n, b"\x02a") for n in range(10)])
        assert [b'"a"'] * 5 == [one.value for one in found[:5]]
        assert all("not found" in rejected(one)[1] for one in found[5:])
        server.asked.clear()
        await decode(made, frame(0, b"\x02a"), frame(4, b"\x02a"), frame(5, b"\x02a"), frame(9, b"\x02a"))
        assert {"/schemas/ids/0", "/schemas/ids/5"} >= set(server.asked)
        assert server.asked
        await made.close()


async def test_a_registry_that_is_down_is_waited_for() -> None:
    """Nothing is rejected; the reason is reported once, and names what waits."""
    async with schema_server() as server:
        server.avro(7, clicks())
        server.failing = 503
        made = decoder(server)
        reported: list[str] = []
        made.on_waiting = reported.append
        waiting = asyncio.create_task(decode(made, frame(7, BODY)))
        while len(server.asked) < 5 and not waiting.done():
            await asyncio.sleep(0)
        server.failing = None
        (found,) = await waiting
        assert isinstance(found, DecodedRecord)
        what = f"the schema registry at {server.url} answers 503"
        assert [f"{what}; records that need the schema 7 wait for it"] == reported
        await made.close()


async def test_a_question_does_not_wait_for_ever() -> None:
    """It ends with what does not answer."""
    async with schema_server() as server:
        url = server.url
    made = record_decoder(RegistrySettings(url=url), patience_s=0)
    assert made is not None
    with pytest.raises(Unavailable, match=f"the schema registry at {url} does not answer"):
        await decode(made, frame(7, BODY))
    with pytest.raises(Unavailable):
        await made.check()
    await made.close()


def _wrong_password(server: SchemaServer) -> None:
    server.credentials = "Basic " + base64.b64encode(b"shop:secret").decode()


def _text_only(server: SchemaServer) -> None:
    server.compiles = False
    server.protobuf(7, shop_file())


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (_wrong_password, "see registry.user and registry.password, or registry.token"),
        (_text_only, "gives Protobuf schemas as text only"),
        (lambda server: setattr(server, "failing", 301), "set registry.url to the address that is right"),
        (lambda server: setattr(server, "failing", 404), "a registry's address?"),
        (lambda server: setattr(server, "failing", 501), "gives Protobuf schemas as text only"),
    ],
)  # fmt: skip
async def test_a_refusal_is_no_reason_to_wait(prepare: Callable[[SchemaServer], None], expected: str) -> None:
    """Nor to reject anything: somebody has to change something."""
    async with schema_server() as server:
        prepare(server)
        made = decoder(server)
        with pytest.raises(Refused, match=expected.replace("?", "\\?")):
            await decode(made, frame(7, BODY))
        await made.close()


@pytest.mark.parametrize(
    ("credentials", "settings"),
    [
        ("Basic " + base64.b64encode(b"shop:gehe\xc3\xafm").decode(), {"user": "shop", "password": "geheïm"}),
        ("Bearer t0ken", {"token": "t0ken"}),
    ],
)
async def test_a_registry_that_asks_who_we_are(credentials: str, settings: dict[str, str]) -> None:
    """It gets the name and the password, or the token."""
    async with schema_server() as server:
        server.credentials = credentials
        made = decoder(server, **settings)
        await made.check()
        await made.close()


async def test_what_is_no_registry() -> None:
    """It does not know the kinds of schemas."""
    async with schema_server() as server:
        server.url += "/other"
        made = decoder(server)
        with pytest.raises(Refused, match="no schema registry is at"):
            await made.check()
        await made.close()


async def test_a_damaged_record_is_rejected_alone() -> None:
    """Those around it are decoded."""
    async with schema_server() as server:
        server.avro(7, clicks())
        made = decoder(server)
        found = await decode(made, frame(7, BODY), frame(7, BODY[:-2]), frame(7, BODY))
        assert [True, False, True] == [isinstance(one, DecodedRecord) for one in found]
        assert Reason.UNDECODABLE is rejected(found[1])[0]
        assert frame(7, BODY[:-2]) == found[1].value
        await made.close()


async def test_a_huge_record_is_not_decoded() -> None:
    """The door refuses it by its length."""
    async with schema_server() as server:
        server.avro(7, "bytes")
        made = decoder(server)
        given = record(frame(7, b"x" * MAX_RECORD_BYTES))
        assert [given] == await made.decoded([given])
        await made.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"schemaType": "AVRO"},
            "the registry's answer is no schema: Object missing required field `schema`",
        ),
        ({"schema": 7}, "the registry's answer is no schema"),
        ({"schema": "{}", "references": [7]}, "the registry's answer is no schema"),
        (
            {"schema": "{}", "references": [{"name": "a", "subject": "b"}]},
            "the registry's answer is no schema",
        ),
        ({"schema": "{}", "schemaType": {}}, "the registry's answer is no schema"),
        (["a"], "the registry's answer is no schema"),
        ({"schema": '"string"', "schemaType": "XML"}, "of the kind XML"),
        ({"schema": '"nothing"'}, "no schema of Avro"),
        ({"schema": '"string"', "x": "y" * (9 << 20)}, "more than 8388608 bytes"),
    ],
    ids=lambda given: str(given)[:40],
)
async def test_an_answer_that_is_no_schema(answer: Any, expected: str) -> None:
    """Its records are rejected by a reason that says so."""
    async with schema_server() as server:
        server.schemas["ids/7"] = answer
        made = decoder(server)
        (found,) = await decode(made, frame(7, b"\x02a"))
        assert Reason.BINARY is rejected(found)[0]
        assert expected in rejected(found)[1]
        await made.close()


async def test_a_registry_with_a_certificate(tmp_path: Path) -> None:
    """It is trusted if the file that is set has its authority; else the setting is named."""
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", "key.pem", "-out", "ca.pem"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        capture_output=True,
    )
    assert 0 == made.returncode, made.stderr
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    async with schema_server(tls=tls) as server:
        trusting = decoder(server, ca_file=tmp_path / "ca.pem")
        await trusting.check()
        await trusting.close()
        strange = decoder(server)
        with pytest.raises(Refused, match=r"is not trusted: see registry\.ca_file"):
            await strange.check()
        await strange.close()
