"""Makes what decodes records out of the settings of a registry; nothing without them."""

import base64
import ssl
from typing import TYPE_CHECKING

from streams.errors import ConfigError
from streams.log.kafka.registry.client import RegistryAccess, RegistryClient
from streams.settings.registry import RegistrySettings

if TYPE_CHECKING:
    from streams.log.kafka.registry.decoding import RecordDecoder


def record_decoder(registry: RegistrySettings, *, patience_s: float = float("inf")) -> "RecordDecoder | None":
    """What decodes records by the schemas of this registry; None if there is none. Connects to nothing.

    `patience_s`: how long it waits for a registry that does not answer. Raises ConfigError.
    """
    if registry.url is None:
        return None
    # Only now: it needs the libraries of an extra, which the settings have looked for.
    from streams.log.kafka.registry.decoding import RecordDecoder

    return RecordDecoder(RegistryClient(registry_access(registry)), patience_s=patience_s)


def registry_access(registry: RegistrySettings) -> RegistryAccess:
    """Where the registry is, and how to get in. Raises ConfigError."""
    assert registry.url is not None
    headers = {}
    if registry.token is not None:
        headers["Authorization"] = f"Bearer {registry.token.get_secret_value()}"
    elif registry.user is not None and registry.password is not None:
        pair = f"{registry.user}:{registry.password.get_secret_value()}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return RegistryAccess(registry.url.rstrip("/"), headers, _trusted(registry))


def _trusted(registry: RegistrySettings) -> ssl.SSLContext | None:
    """Whom to trust; None: whom the system trusts."""
    if registry.ca_file is None:
        return None
    where = f"registry.ca_file = {registry.ca_file}"
    try:
        return ssl.create_default_context(cafile=registry.ca_file)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{where}: holds no certificates: it must be PEM, with -----BEGIN CERTIFICATE-----"
        ) from error
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from error
