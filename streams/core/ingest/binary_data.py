"""Names binary and encrypted data by its bytes, for whoever must find out why a record is refused."""

import re

MAX_PROTOBUF_FIELDS = 1_000  # that are looked at: enough to be sure

FRAME_BYTES = 5  # of Confluent: a zero, and the number of the schema
_ENCRYPTED = (
    (b"Salted__", "data encrypted by OpenSSL"),
    (b"U2FsdGVkX1", "data encrypted by OpenSSL"),
    (b"age-encryption.org/", "data encrypted by age"),
    (b"-----BEGIN PGP MESSAGE-----", "a message encrypted by PGP"),
)
_BINARY = (
    (b"Obj\x01", "an Avro object container"),
    (b"\xc3\x01", "Avro with the fingerprint of its schema"),
    (b"PAR1", "Parquet"),
    (b"ORC", "ORC"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\xff\x06\x00\x00sNaPpY", "Snappy"),
    (b"\x82SNAPPY\x00", "Snappy"),
)
_TOKEN = re.compile(rb"eyJ[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+\s*")  # an encrypted one has five parts
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # no text has these
_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5  # wire types of Protobuf
_HIGHEST_BIT, _BITS = 0x80, 7  # of a byte of a number: more follow; what it carries
_MAX_SHIFT = 63


def binary_kind(value: bytes) -> str | None:
    """What these bytes are, for a person; None if they are text."""
    for prefix, kind in _ENCRYPTED:
        if value.startswith(prefix):
            return kind
    if _TOKEN.fullmatch(value):
        return "an encrypted token (JWE)"
    if not _CONTROL.search(value):
        return None
    for prefix, kind in _BINARY:
        if value.startswith(prefix):
            return kind
    if value[:1] == b"\x00" and len(value) > FRAME_BYTES:
        schema = int.from_bytes(value[1:FRAME_BYTES], "big")
        return f"Avro or Protobuf with the schema {schema} of a schema registry (see registry.url)"
    return "Protobuf, by its look" if _is_protobuf(value) else "binary or encrypted data"


def _is_protobuf(value: bytes) -> bool:
    """True if all of these bytes can be read as fields, and there are several."""
    at = fields = 0
    while at < len(value) and fields < MAX_PROTOBUF_FIELDS:
        tag, at = _number(value, at)
        if not tag >> 3:
            return False
        kind = tag & 7
        if kind == _NUMBER:
            at = _number(value, at)[1]
        elif kind == _BYTES:
            length, at = _number(value, at)
            at += length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            return False
        fields += 1
    return fields > 1 and (at == len(value) or fields == MAX_PROTOBUF_FIELDS)


def _number(value: bytes, at: int) -> tuple[int, int]:
    """The number at this place, and the place after it: beyond the end of the bytes if it has no end."""
    number = 0
    for shift in range(0, _MAX_SHIFT + 1, _BITS):
        if at >= len(value):
            break
        byte = value[at]
        number |= (byte & ~_HIGHEST_BIT) << shift
        at += 1
        if byte < _HIGHEST_BIT:
            return number, at
    return 0, len(value) + 1
