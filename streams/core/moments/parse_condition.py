"""Reads the table `where` of a rule: the test that an event must pass for the rule to apply."""

from math import isfinite

from streams.core.moments import spec
from streams.core.moments.lines import Mistake
from streams.core.moments.table_reader import TableReader

_ROOTS = ("id", "anonymous_id", "user_id", "type", "name", "channel")  # fields of an Event that stand alone
_TREES = ("properties", "context")  # fields that need a path below them


def read_condition(rule: TableReader, name: str) -> spec.Condition:
    """The condition of a rule with this name. Raises Mistake."""
    data = rule.data["where"]
    table = TableReader(f'rule "{name}": where', data, rule.spot._replace(key="where"))
    paths = table.words("path") if isinstance(data.get("path"), list) else (table.text("path", ""),)
    if not all(map(is_path, paths)):
        raise table.wrong("path", "must be a path into the event, such as properties.content_type, or a list")
    above = table.take("above")
    is_number = isinstance(above, int | float) and not isinstance(above, bool) and isfinite(above)
    if above is not None and not is_number:
        raise table.wrong("above", "must be a number, such as 3000")
    condition = spec.Condition(
        paths,
        is_=table.words("is"),
        starts_with=table.words("starts_with"),
        contains=table.words("contains"),
        exists=table.flag("exists"),
        is_id=bool(table.flag("is_id")),
        above=above,
    )
    table.done()
    if (
        sum(
            (
                bool(condition.is_),
                bool(condition.starts_with),
                bool(condition.contains),
                condition.exists is not None,
                condition.is_id,
                condition.above is not None,
            )
        )
        != 1
    ):
        raise Mistake(
            f"{table.where} = {data!r}: needs exactly one of is, starts_with, contains, exists, is_id, above",
            table.spot,
        )
    return condition


def is_path(path: str) -> bool:
    """True for a path into an event, such as `properties.query` or `name`."""
    root, dot, rest = path.partition(".")
    return all(rest.split(".")) and root in _TREES if dot else root in _ROOTS
