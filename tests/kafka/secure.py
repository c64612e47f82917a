"""A broker that lets in whom it knows, and lets them do what they may: certificates, passwords and
rights made anew for each run of the tests.

inside   no security, the broker's own; who comes here may do everything
clients  SASL_SSL: PLAIN, SCRAM-SHA-256, OAUTHBEARER
certs    SSL: whoever has a certificate of our authority
"""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from tests.kafka.nodes import Brokers, Missing

PASSWORDS = {
    "owner": "owner-secret",
    "shop": "shop-secret",
}  # owner makes topics and appends; shop is a worker
TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = 2, 3, 4, 5
LITERAL, PREFIXED = 3, 4
READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = 3, 4, 5, 8, 10
ALLOW = 3
ANY = 1  # of each of these


class Right(NamedTuple):
    """One entry of an access control list, which allows something."""

    resource: int
    name: str
    pattern: int
    user: str
    operation: int


class Secure:
    """The broker, and how to get in."""

    def __init__(self, directory: Path) -> None:
        """`directory`: for certificates. Raises Missing where there is no openssl or no Java."""
        certificates(directory)
        users = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
        jaas, modules = "listener.name.clients.{}.sasl.jaas.config", "org.apache.kafka.common.security"
        self.brokers = Brokers(
            1,
            {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": directory / "broker.pem",
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": directory / "ca.pem",
                "listener.name.certs.ssl.client.auth": "required",
                "listener.name.clients.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,OAUTHBEARER",
                jaas.format("plain"): f"{modules}.plain.PlainLoginModule required {users};",
                jaas.format("scram-sha-256"): f"{modules}.scram.ScramLoginModule required;",
                jaas.format("oauthbearer"): f"{modules}.oauthbearer.OAuthBearerLoginModule required "
                'unsecuredLoginStringClaim_sub="broker";',
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS;User:owner",
            },
            [
                word
                for name, password in PASSWORDS.items()
                for word in ("--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]")
            ],
            {"CLIENTS": "SASL_SSL", "CERTS": "SSL"},
        )
        node = self.brokers.nodes[0]
        self.inside, self.clients, self.certs = node.address, node.more["CLIENTS"], node.more["CERTS"]
        self.directory = directory

    def kafka(self, user: str = "shop", **given: Any) -> dict[str, Any]:
        """Settings for a user who comes with SCRAM; or others."""
        scram = {"sasl_mechanism": "SCRAM-SHA-256", "username": user, "password": PASSWORDS[user]}
        return {
            "bootstrap": self.clients,
            "security_protocol": "SASL_SSL",
            "ca_file": self.directory / "ca.pem",
            **scram,
        } | given

    async def allow(self, *rights: Right) -> None:
        """Gives these."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.inside)
        await admin.start()
        try:
            answer = await admin._send_to_controller(
                CreateAcls(
                    [(*right[:3], f"User:{right.user}", "*", right.operation, ALLOW) for right in rights]
                )
            )
            failed = [result for result in answer.results if result[0]]
            assert not failed, failed
            while not set(rights) <= await self._known(
                admin
            ):  # a broker learns of it from the controller, a moment later
                await asyncio.sleep(0.05)
        finally:
            await admin.close()

    async def rights(self) -> set[Right]:
        """All that somebody has."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.inside)
        await admin.start()
        try:
            return {Right(*right) for right in await self._known(admin)}
        finally:
            await admin.close()

    async def _known(self, admin: Any) -> set[tuple[int, str, int, str, int]]:
        found = await admin._send_request(DescribeAcls())
        return {
            (kind, name, pattern, entry[0].removeprefix("User:"), entry[2])
            for kind, name, pattern, entries in found.resources for entry in entries
        }  # fmt: skip


def worker(app: str, *inputs: str, user: str = "shop") -> list[Right]:
    """All that a worker needs: docs/operations.md."""
    return [
        *(Right(TOPIC, name, LITERAL, user, READ) for name in inputs),
        Right(TOPIC, f"{app}.", PREFIXED, user, READ),
        Right(TOPIC, f"{app}.", PREFIXED, user, WRITE),
        Right(GROUP, app, LITERAL, user, READ),
        Right(TRANSACTIONAL_ID, f"{app}-", PREFIXED, user, WRITE),
        Right(TRANSACTIONAL_ID, f"{app}.", PREFIXED, user, WRITE),
    ]


def maker(app: str, *inputs: str, user: str = "shop") -> list[Right]:
    """What `streams topics apply` needs beside."""
    return [
        Right(TOPIC, f"{app}.", PREFIXED, user, CREATE),
        *(Right(TOPIC, f"{app}.", PREFIXED, user, operation) for operation in (DESCRIBE, DESCRIBE_CONFIGS)),
        *(
            Right(TOPIC, name, LITERAL, user, operation)
            for name in inputs
            for operation in (DESCRIBE, DESCRIBE_CONFIGS)
        ),
        Right(CLUSTER, "kafka-cluster", LITERAL, user, DESCRIBE_CONFIGS),
    ]


def token() -> str:
    """A token of the user shop, for a broker that believes tokens without a signature: only here."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": "shop", "iat": now, "exp": now + 600})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
        + "."
    )


def certificates(directory: Path) -> None:
    """An authority (ca.pem), the broker's key and certificate (broker.pem), a client's (client.pem),
    and another authority that signed nobody.
    """
    if shutil.which("openssl") is None:
        raise Missing("there is no openssl to make certificates with")

    def run(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    for name in ("ca", "other"):
        run(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-subj",
            f"/CN={name}",
            "-days",
            "2",
        )
    for name in ("broker", "client"):
        run(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        (directory / "names").write_text("subjectAltName=IP:127.0.0.1")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        run("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
        (directory / f"{name}.pem").write_text(
            (directory / f"{name}.key").read_text() + (directory / f"{name}.crt").read_text()
        )


class CreateAclsResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka does not know how to give rights; this is the protocol's request 30."""

    API_KEY, API_VERSION = 30, 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", Array(("error_code", Int16), ("error_message", String("utf-8")))),
    )


class CreateAclsRequest(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY, API_VERSION = 30, 1
    RESPONSE_TYPE = CreateAclsResponse
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    )


class CreateAcls(Request[CreateAclsRequest]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 30

    def __init__(self, creations: list[tuple[object, ...]]) -> None:
        self._creations = creations

    def build(self, request_struct_class: type[CreateAclsRequest]) -> CreateAclsRequest:
        return request_struct_class(self._creations)


class DescribeAclsResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    """Which rights there are: the protocol's request 29."""

    API_KEY, API_VERSION = 29, 1
    ENTRY = Array(
        ("principal", String("utf-8")),
        ("host", String("utf-8")),
        ("operation", Int8),
        ("permission_type", Int8),
    )
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", String("utf-8")),
        (
            "resources",
            Array(("type", Int8), ("name", String("utf-8")), ("pattern_type", Int8), ("acls", ENTRY)),
        ),
    )


class DescribeAclsRequest(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY, API_VERSION = 29, 1
    RESPONSE_TYPE = DescribeAclsResponse
    SCHEMA = Schema(
        ("resource_type", Int8),
        ("resource_name", String("utf-8")),
        ("pattern_type", Int8),
        ("principal", String("utf-8")),
        ("host", String("utf-8")),
        ("operation", Int8),
        ("permission_type", Int8),
    )


class DescribeAcls(Request[DescribeAclsRequest]):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 29

    def build(self, request_struct_class: type[DescribeAclsRequest]) -> DescribeAclsRequest:
        return request_struct_class(ANY, None, ANY, None, None, ANY, ANY)
