"""Data that nothing here can read is refused by a name that helps to find out why."""

import gzip

import pytest

from streams.core.ingest.binary_data import MAX_PROTOBUF_FIELDS
from streams.core.ingest.event import Reason, Rejection
from tests.reading import read_record

PROTOBUF = b"\x0a\x03ann\x10\x96\x01\x1d\x00\x00\x80\x3f\x21\x00\x00\x00\x00\x00\x00\xf0\x3f"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            b"\x00\x00\x00\x01\x02\x06\x0aann",
            "Avro or Protobuf with the schema 258 of a schema registry (see registry.url)",
        ),
        (b"\x00\x00\x00\x00\x07\x00" + PROTOBUF, "the schema 7"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro object container"),
        (b"\xc3\x01\x00\x01\x02\x03", "Avro with the fingerprint of its schema"),
        (b"PAR1\x15\x04\x15", "Parquet"),
        (b"ORC\x08\x03\x10", "ORC"),
        (b"PK\x03\x04\x14\x00", "a zip archive"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x82SNAPPY\x00\x00\x00", "Snappy"),
        (b"Salted__\x8f\x00\x01", "encrypted by OpenSSL"),
        (b"U2FsdGVkX1+/x0A=", "encrypted by OpenSSL"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA", "encrypted by PGP"),
        (b"eyJhbGciOiJSU0Et.a0.Zg_-.b2s.dGFn", "an encrypted token (JWE)"),
        (PROTOBUF, "Protobuf"),
        (PROTOBUF * MAX_PROTOBUF_FIELDS, "Protobuf"),
        (gzip.compress(PROTOBUF, mtime=0), "Protobuf"),
        (PROTOBUF[:-1], "binary or encrypted data"),
        (b"\x93\x01\x02\xc0\x00", "binary or encrypted data"),
        (b"\x00\x01", "binary or encrypted data"),
        (b"\x08" + b"\xff" * 20, "binary or encrypted data"),
    ],
)
def test_binary_data_is_named(value: bytes, words: str) -> None:
    """The reason is `binary`, and the detail says what it is."""
    found = read_record(value)
    assert isinstance(found, Rejection)
    assert (Reason.BINARY, True) == (found.reason, words in found.detail), found.detail


@pytest.mark.parametrize(
    "value", [b"ORCHARD opened", b"BZhello", b"PAR1S", b"eyJhbGciOiJSU0Et.e30.c2ln", b"hello", b"caf\xe9"]
)
def test_text_is_no_binary_data(value: bytes) -> None:
    """Whatever it begins with; a signed token has three parts."""
    found = read_record(value)
    assert isinstance(found, Rejection)
    assert Reason.BINARY is not found.reason


@pytest.mark.parametrize(
    "value", [b"\x1f\x8b\x08\x00", gzip.compress(b"{}" * 99, mtime=0)[:-9], b"\x1f\x8bxxxx"]
)
def test_gzip_that_is_damaged(value: bytes) -> None:
    """It is named, as what is cut off is."""
    found = read_record(value)
    assert isinstance(found, Rejection)
    assert (Reason.UNDECODABLE, True) == (found.reason, "gzip" in found.detail)
