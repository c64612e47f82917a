"""Reads messages in Protobuf, by one schema of a registry, as JSON: Protobuf's own mapping, where a field is
called as its `json_name` says (`order_id` is `orderId`, unless the schema gives another one).

The registry gives the schema compiled, as Google's library takes it: so no compiler is needed here.
"""

import base64
import binascii
import importlib
import re
from collections.abc import Mapping

import msgspec
from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from streams.core.ingest.event import Reason, Rejection, reject
from streams.log.kafka.registry.frame import split_indexes

# Files that schemas import and registries do not keep: those that come with Google's libraries.
_SHIPPED = re.compile(r"google/(protobuf|type)/[a-z_]+\.proto")
# Files of Confluent's that have only options, which no message holds, or one type.
_OPTIONS = "confluent/meta.proto"
_DECIMAL = "confluent/type/decimal.proto"
_MAX_MESSAGES = 1_000  # of one schema whose classes are kept: as many as a file ever has


class UnknownImport(Exception):
    """A schema imports a file that nobody has."""


class ProtobufReader:
    """Reads the messages of one schema, whichever of its types they are of."""

    def __init__(self, pool: DescriptorPool, file: descriptor_pb2.FileDescriptorProto, name: str) -> None:
        """`file` is in the pool. `name`: of the schema, for a person."""
        self._pool, self._file, self._name = pool, file, name
        self._types: dict[tuple[int, ...], Descriptor | None] = {}

    def read(self, body: bytes, in_header: bytes | None) -> bytes | Rejection:
        """The message as JSON. Never raises.

        `in_header`: where the header has named the schema, what follows there and says which type it is.
        """
        indexes = split_indexes(body if in_header is None else in_header or b"\0")
        if indexes is None:
            return reject(Reason.UNDECODABLE, f"{self._name}: it does not say which message it is")
        which, rest = indexes
        found = self._type(which)
        if found is None:
            shown = ", ".join(map(str, which))
            return reject(Reason.UNDECODABLE, f"{self._name}: it has no message {shown}")
        try:
            message = message_factory.GetMessageClass(found)()
            message.ParseFromString(rest if in_header is None else body)
            found = json_format.MessageToDict(message, descriptor_pool=self._pool)
            return msgspec.json.encode(found, order="deterministic")  # maps come in any order
        except DecodeError:
            detail = "Protobuf that is cut off, damaged or nested more than 100 deep"
            return reject(Reason.UNDECODABLE, f"{self._name}: {detail}")
        except Exception as error:  # a time out of range, an `Any` of an unknown type
            return reject(Reason.UNDECODABLE, f"{self._name}: {error}")

    def _type(self, indexes: tuple[int, ...]) -> Descriptor | None:
        if indexes not in self._types:
            if len(self._types) >= _MAX_MESSAGES:
                self._types.clear()
            self._types[indexes] = self._find(indexes)
        return self._types[indexes]

    def _find(self, indexes: tuple[int, ...]) -> Descriptor | None:
        names = [self._file.package] if self._file.package else []
        types = self._file.message_type
        for index in indexes:
            if index >= len(types):
                return None
            names.append(types[index].name)
            types = types[index].nested_type
        return self._pool.FindMessageTypeByName(".".join(names))


def protobuf_reader(compiled: str, references: Mapping[str, str], name: str) -> ProtobufReader | Rejection:
    """The reader of a schema that the registry has compiled. `references`: the files that it imports, which
    are compiled too, by the names under which they are imported, each after those that it imports itself.

    A rejection, if it is no schema.
    """
    pool = DescriptorPool()
    try:
        for path, other in references.items():
            _add(pool, _file(other, path))
        main = _file(compiled, f"{name}.proto")
        _add(pool, main)
    except UnknownImport as missing:
        return reject(Reason.BINARY, f"{name} imports {missing}, which the registry does not give")
    except Exception as error:  # whatever somebody has registered
        return reject(Reason.BINARY, f"{name} is no schema of Protobuf: {error}")
    return ProtobufReader(pool, main, name)


def is_compiled(schema: str) -> bool:
    """True if this is a compiled schema, and not its text."""
    try:
        return bool(_parsed(schema).ByteSize())
    except (binascii.Error, ValueError, DecodeError):
        return False


def _file(compiled: str, path: str) -> descriptor_pb2.FileDescriptorProto:
    file = _parsed(compiled)
    file.name = path  # registries call it as they like; here it is what others import
    return file


def _parsed(compiled: str) -> descriptor_pb2.FileDescriptorProto:
    return descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(compiled, validate=True))


def _add(pool: DescriptorPool, file: descriptor_pb2.FileDescriptorProto) -> None:
    for path in file.dependency:
        _add_shipped(pool, path)
    pool.Add(file)


def _add_shipped(pool: DescriptorPool, path: str) -> None:
    """Adds a file that is imported, unless it is there, with all that it imports."""
    try:
        pool.FindFileByName(path)
    except KeyError:
        _add(pool, _shipped(path))


def _shipped(path: str) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=path, syntax="proto3")
    if path == _OPTIONS:
        return file
    if path == _DECIMAL:
        file.package = "confluent.type"
        message = file.message_type.add(name="Decimal")
        kinds = descriptor_pb2.FieldDescriptorProto
        for number, (field, kind) in enumerate(
            (("value", kinds.TYPE_BYTES), ("precision", kinds.TYPE_UINT32), ("scale", kinds.TYPE_INT32)), 1
        ):
            message.field.add(name=field, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
        return file
    if not _SHIPPED.fullmatch(path):
        raise UnknownImport(path)
    try:
        module = importlib.import_module(path.removesuffix(".proto").replace("/", ".") + "_pb2")
    except ModuleNotFoundError:
        raise UnknownImport(path) from None
    module.DESCRIPTOR.CopyToProto(file)
    return file
