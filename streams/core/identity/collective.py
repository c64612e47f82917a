"""Users who are many people: names that a till, a test or a shared account sends as a user's id.

They have journeys like any user, but make no links: what a customer reads on the same device is not theirs.
Words that stand for no id at all are placeholders, and never come here.
"""

from collections.abc import Iterable

SHIPPED_COLLECTIVE = frozenset({
    "test", "tester", "testuser", "test_user", "test-user", "demo", "dev", "qa", "user", "visitor",
    "customer", "default", "admin", "administrator", "root", "system", "agent", "support",
    "callcenter", "call-center", "sales",
    "pos", "till", "kiosk", "terminal", "checkout", "cashier", "counter", "shop", "store",
    "front-desk", "reception",
    "cassa", "negozio", "cliente", "utente", "ospite", "prova",
    "caja", "tienda", "usuario", "invitado", "prueba",
})  # fmt: skip
"""In lower case. The settings add to it and take from it."""


class CollectiveUsers:
    """The names in force: the shipped ones, with some added and some taken away."""

    def __init__(self, added: Iterable[str] = (), removed: Iterable[str] = ()) -> None:
        taken = {plain_name(name) for name in removed}
        self._names = (SHIPPED_COLLECTIVE | {plain_name(name) for name in added}) - taken

    def __contains__(self, user: str) -> bool:
        """True if this user's id, whatever its case and the blanks around it, is one of the names."""
        return plain_name(user) in self._names


def plain_name(name: str) -> str:
    """The form in which names are compared."""
    return name.strip().lower()
