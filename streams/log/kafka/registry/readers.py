"""The reader of a schema, by its kind. What this imports needs the libraries of the extra `registry`."""

from streams.core.ingest.event import Reason, Rejection, reject
from streams.log.kafka.registry.avro import avro_reader
from streams.log.kafka.registry.client import RegisteredSchema
from streams.log.kafka.registry.frame import ReadMessage
from streams.log.kafka.registry.protobuf import protobuf_reader


def reader_of(schema: RegisteredSchema, name: str) -> ReadMessage:
    """What reads the messages of a schema. `name`: of the schema, for a person."""
    if schema.kind == "AVRO":
        avro = avro_reader(schema.text, list(schema.references.values()), name)
        if isinstance(avro, Rejection):
            return rejecting(avro)
        return lambda message: avro.read(message.body)
    if schema.kind == "PROTOBUF":
        protobuf = protobuf_reader(schema.text, schema.references, name)
        if isinstance(protobuf, Rejection):
            return rejecting(protobuf)
        return lambda message: protobuf.read(message.body, message.in_header)
    if schema.kind == "JSON":
        return lambda message: None
    return rejecting(
        reject(Reason.BINARY, f"{name} is of the kind {schema.kind}, which nothing here can read")
    )


def rejecting(rejection: Rejection) -> ReadMessage:
    """Reads no message."""
    return lambda message: rejection
