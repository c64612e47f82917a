"""Who may ask a page of ours: this machine, and whoever has the token."""

import hashlib
import hmac
from ipaddress import ip_address


class AccessToken:
    """What others than this machine must know."""

    def __init__(self, token: str) -> None:
        self._hash = _digest(token)
        # What a browser keeps that has signed in. The token cannot be computed from it.
        self.cookie = hashlib.blake2b(self._hash, person=b"cookie").hexdigest()

    def is_token(self, given: str) -> bool:
        """True for the token. It takes as long for any other."""
        return hmac.compare_digest(_digest(given), self._hash)

    def is_in(self, authorization: str) -> bool:
        """True if this value of the header Authorization carries the token."""
        kind, _, given = authorization.partition(" ")
        return kind.lower() == "bearer" and self.is_token(given.strip())


def is_loopback(host: str) -> bool:
    """True for a name or an address under which only this machine can be reached."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), person=b"token").digest()
