"""Words that stand for no id: what programs write where they have none.

Read as ids, they make one person of all strangers, and one order of all orders without a number.
"""

from collections.abc import Iterable

SHIPPED = frozenset({
    "", "undefined", "null", "none", "nil", "nan", "(not set)", "not set", "not_set", "notset", "(none)",
    "(null)", "(undefined)", "<nil>", "<null>", "<none>", "<undefined>", "[object object]", "n/a", "#n/a",
    "unknown", "(unknown)", "anonymous", "guest", "not_authenticated", "empty", "(empty)",
    "true", "false", "0", "-1", "0.0", "-", "--", "?", "_", ".", "{}", "[]", "\"\"", "''", "(direct)",
    "distinct_id", "distinctid", "user_id", "userid", "anonymous_id", "anonymousid", "id", "client_id",
    "clientid",
    "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000", "0000000000000000",
})  # fmt: skip
"""In lower case. docs/input.md says where each comes from; the settings add to it and take from it."""


class Placeholders:
    """The words in force: the shipped ones, with some added and some taken away."""

    def __init__(self, added: Iterable[str] = (), removed: Iterable[str] = ()) -> None:
        taken = {_plain(word) for word in removed}
        self.words = (SHIPPED | {_plain(word) for word in added}) - taken  # in lower case, without blanks

    def __contains__(self, identifier: str) -> bool:
        """True if this id, whatever its case and the blanks around it, stands for none."""
        return _plain(identifier) in self.words


def _plain(word: str) -> str:
    return word.strip().lower()
