"""The columns of exported tables, made of the types of the contract: what is added there is exported, too.

A column is called like the field of the JSON record. What is a map there is several columns, one for each
key, since pandas would read a map as Python objects: a dimension is `dim_device`, the time spent in a moment
`dwell_know_s`. A bucket is two: `bucket_from_s` and `bucket_to_s`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import inspect

from streams.queries.cohorts import FUNNEL_MOMENTS

RecordFields = Mapping[str, Any]
"""A record as it was published, decoded from JSON."""

UTC_MS = pa.timestamp("ms", tz="UTC")
VOCABULARY = pa.dictionary(pa.int32(), pa.string())  # a word of a closed list: a category of pandas, an enum


class Column(NamedTuple):
    """One column of a table."""

    name: str
    type: pa.DataType
    value_of: Callable[[RecordFields], Any]  # None: null

    def array(self, records: Sequence[RecordFields]) -> pa.Array:
        """The values of these records. Times are read here: in records they are texts."""
        values = [self.value_of(fields) for fields in records]
        return pa.array(values, _as_published(self.type)).cast(self.type)


def columns_of(
    record: type[msgspec.Struct], dimensions: Sequence[str], without: Collection[str] = ()
) -> list[Column]:
    """The columns of a type of the contract, in the order of its fields."""
    described = inspect.type_info(record)
    assert isinstance(described, inspect.StructType)
    return [
        column
        for field in described.fields
        if field.encode_name not in without
        for column in _columns(field.encode_name, _present(field.type), field.type, dimensions)
    ]


def _columns(
    name: str, present: inspect.Type, kind: inspect.Type, dimensions: Sequence[str]
) -> Iterator[Column]:
    match present:
        case inspect.DictType(value_type=inspect.StrType()):
            for dimension in dimensions:
                column = f"{name.removesuffix('dimensions')}dim_{dimension}"
                yield Column(column, VOCABULARY, _member(name, dimension))
        case inspect.DictType():
            for moment in FUNNEL_MOMENTS:
                yield Column(f"{name.removesuffix('_s')}_{moment}_s", pa.float64(), _member(name, moment))
        case inspect.TupleType():
            for number, end in enumerate(("from", "to")):
                column = f"{name.removesuffix('_s')}_{end}_s"
                yield Column(column, pa.float64(), _end_of(name, number))
        case _:
            yield Column(name, _arrow_type(kind), _field(name))


def _field(name: str) -> Callable[[RecordFields], Any]:
    return lambda fields: fields.get(name)


def _member(name: str, key: str) -> Callable[[RecordFields], Any]:
    return lambda fields: fields[name].get(key)


def _end_of(name: str, number: int) -> Callable[[RecordFields], Any]:
    def value_of(fields: RecordFields) -> Any:
        bounds = fields.get(name)
        return None if bounds is None else bounds[number]

    return value_of


def _present(kind: inspect.Type) -> inspect.Type:
    """The type of a value that is there, without what its field's description adds."""
    match kind:
        case inspect.Metadata(type=inner):
            return _present(inner)
        case inspect.UnionType(types=types):
            inner, *others = [one for one in types if not isinstance(one, inspect.NoneType)]
            assert all(isinstance(one, inspect.LiteralType) for one in others), (
                "vocabularies join; others don't"
            )
            return _present(inner)
        case _:
            return kind


def _arrow_type(kind: inspect.Type) -> pa.DataType:
    if isinstance(kind, inspect.Metadata) and (kind.extra_json_schema or {}).get("format") == "date-time":
        return UTC_MS
    match _present(kind):
        case inspect.LiteralType():
            return VOCABULARY
        case inspect.StrType():
            return pa.string()
        case inspect.IntType():
            return pa.int64()
        case inspect.FloatType():
            return pa.float64()
        case inspect.BoolType():
            return pa.bool_()
        case inspect.VarTupleType(item_type=item):
            return pa.list_(_nested(item))
        case inspect.StructType(fields=fields):
            return pa.struct([(field.encode_name, _nested(field.type)) for field in fields])
        case other:
            raise AssertionError(f"the contract has a type that no column has: {other}")


def _nested(kind: inspect.Type) -> pa.DataType:
    """The type inside of a list, where not every reader takes a dictionary."""
    found = _arrow_type(kind)
    return pa.string() if found == VOCABULARY else found


def _as_published(kind: pa.DataType) -> pa.DataType:
    """The type as which values of a column stand in records."""
    if kind == UTC_MS:
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_as_published(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _as_published(field.type)) for field in kind])
    return kind
