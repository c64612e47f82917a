"""Makes a document of the bytes of a record: JSON, or a line of text.

A record may be compressed, stand in the frame of a schema registry, or be written in UTF-16.
"""

import codecs
import zlib

from streams.core.ingest.binary_data import FRAME_BYTES, binary_kind
from streams.core.ingest.event import MAX_RECORD_BYTES, Reason, Rejection, reject
from streams.core.ingest.json_text import Decoded, decode
from streams.core.ingest.nesting import MAX_DEPTH, bracket_count, is_deeper

BOM = b"\xef\xbb\xbf"
MAX_COATS = 4  # around one record: compressed, in a frame, compressed by the sender

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # of zlib: a gzip header comes first
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON = (b"{", b"[", b'"')


def read_bytes(value: bytes) -> Decoded | Rejection:
    """The document in these bytes, which nests no deeper than nesting.MAX_DEPTH. Never raises."""
    bare = uncoated(value)
    if isinstance(bare, Rejection):
        return bare
    plain = bare.removeprefix(BOM).lstrip()
    if not plain:
        return reject(Reason.UNDECODABLE, "the record is empty")
    if bracket_count(bare) > MAX_DEPTH and is_deeper(bare, MAX_DEPTH):
        return reject(Reason.UNDECODABLE, f"nested more than {MAX_DEPTH} deep")
    found = decode(plain)
    if isinstance(found, Decoded):
        return found
    if plain[:1] in _JSON:
        return reject(Reason.UNDECODABLE, found)
    if (kind := binary_kind(bare)) is not None:
        return reject(Reason.BINARY, f"{kind}, which nothing here can read")
    line = bare.removeprefix(BOM).strip(b"\r\n")  # tabs stay: they are empty columns
    try:
        return Decoded(line.decode())
    except UnicodeDecodeError:
        return Decoded(line.decode("utf-8", "surrogateescape"), is_dirty=True, is_damaged=True)


def uncoated(value: bytes) -> bytes | Rejection:
    """The bytes of a record without what was put around them. Never raises."""
    for _ in range(MAX_COATS):
        inner = _inside(value)
        if inner is None:
            break
        if isinstance(inner, Rejection):
            return inner
        value = inner
    return value


def _inside(value: bytes) -> bytes | Rejection | None:
    """What is in a coat around a record; None if there is none."""
    if value[:2] == _GZIP:
        return _inflated(value)
    if value[:1] == b"\x00" and value[FRAME_BYTES:].lstrip()[:1] in _JSON:
        body = value[FRAME_BYTES:]
        return body if isinstance(decode(body), Decoded) else None
    if value[:2] in _UTF_16:
        return value.decode("utf-16", "replace").encode("utf-8", "replace")
    return None


def _inflated(value: bytes) -> bytes | Rejection:
    try:
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        found = inflater.decompress(value, MAX_RECORD_BYTES + 1)
    except zlib.error as error:
        return reject(Reason.UNDECODABLE, f"gzip that is damaged: {error}")
    if len(found) > MAX_RECORD_BYTES:
        return reject(Reason.TOO_LARGE, f"gzip of more than {MAX_RECORD_BYTES} bytes")
    if not inflater.eof:
        return reject(Reason.UNDECODABLE, "gzip that is cut off")
    return found
