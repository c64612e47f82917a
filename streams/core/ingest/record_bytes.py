"""Makes a document of the bytes of a record: JSON, or a line of text."""

import re
import zlib

from streams.core.ingest.event import MAX_RECORD_BYTES, Reason, Rejection, reject
from streams.core.ingest.json_text import Decoded, decode

BOM = b"\xef\xbb\xbf"

GZIP = b"\x1f\x8b"

_GZIP_BITS = 31  # tells the library to expect a gzip header
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # no text has these


def read_bytes(value: bytes) -> Decoded | Rejection:
    """The document in these bytes, which nest no deeper than nesting.MAX_DEPTH. Never raises."""
    plain = value.removeprefix(BOM).lstrip()
    if not plain:
        return reject(Reason.UNDECODABLE, "the record is empty")
    found = decode(plain)
    if isinstance(found, Decoded):
        return found
    if plain[:1] in (b"{", b"[", b'"'):
        return reject(Reason.UNDECODABLE, found)
    if _BINARY.search(plain):
        return reject(Reason.BINARY, "binary data, which nothing here can read")
    line = value.removeprefix(BOM).strip(b"\r\n")  # tabs stay: they are empty columns
    try:
        return Decoded(line.decode())
    except UnicodeDecodeError:
        return Decoded(line.decode("utf-8", "surrogateescape"), is_dirty=True, is_damaged=True)


def unzip(value: bytes) -> bytes | Rejection:
    """What is in the bytes of a gzip file, such as a request that a library has zipped. Never raises."""
    unzipping = zlib.decompressobj(_GZIP_BITS)
    try:
        plain = unzipping.decompress(value, MAX_RECORD_BYTES + 1)
    except zlib.error as error:
        return reject(Reason.UNDECODABLE, f"gzip that is damaged: {error}")
    if len(plain) > MAX_RECORD_BYTES:
        return reject(Reason.TOO_LARGE, f"gzip of more than {MAX_RECORD_BYTES} bytes")
    return plain if unzipping.eof else reject(Reason.UNDECODABLE, "gzip that is cut off")
