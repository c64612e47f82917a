"""The settings of a schema registry, whose schemas Avro and Protobuf records need."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from streams.settings.fields import HIDDEN_VALUE, Secret, SettingsTable

_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_LIBRARIES = ("fastavro", "google.protobuf", "google.type")
_INSTALL = "pip install 'customer-journey-streams[registry]'"


def _is_installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # of what it is part of
        return False


class RegistrySettings(SettingsTable):
    """Where the schemas of Avro and Protobuf records are."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the input may hold a password

    url: str | None = Field(
        None,
        description=(
            "The address of the schema registry, for [Avro and Protobuf](connect/avro-protobuf.md) records. "
            "Without it such records are rejected (`binary`)."
        ),
    )
    user: str | None = Field(None, description="The user's name there, or the key of an API.")
    password: Secret | None = Field(
        None, description="The password, or the secret of the API's key. It is never shown."
    )
    token: Secret | None = Field(
        None, description="A bearer token, in place of a name and a password. It is never shown."
    )
    ca_file: Path | None = Field(
        None,
        description=(
            "The certificates (PEM) of the authorities to trust. Without it, those that the system trusts."
        ),
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Raises ValueError, which names the keys. No message shows the value of a secret."""
        given = [key for key in ("user", "password", "token", "ca_file") if getattr(self, key) is not None]
        if self.url is None:
            if given:
                raise ValueError(f"registry.{given[0]} has no effect without registry.url")
            return self
        if not _ADDRESS.fullmatch(self.url):
            shown = HIDDEN_VALUE if "@" in self.url else repr(self.url)  # it may have a password in it
            raise ValueError(
                f"registry.url = {shown}: is no address of a registry: write https://host:port, with a path "
                "if it has one, and the name and the password in registry.user and registry.password"
            )
        if (self.user is None) != (self.password is None):
            absent = "user" if self.user is None else "password"
            raise ValueError(f"registry.{absent} is missing: a name and a password go together")
        if self.token is not None and self.user is not None:
            raise ValueError("registry.token and registry.user are both given: a registry takes one of them")
        for key in ("password", "token"):
            secret = getattr(self, key)
            if secret is not None and not re.fullmatch(r"[^\x00-\x1f\x7f]+", secret.get_secret_value()):
                raise ValueError(f"registry.{key} is empty, or has control characters such as a line's end")
        if self.user is not None and ":" in self.user:
            raise ValueError(
                "registry.user has a colon, which ends the name where both are sent: leave it out"
            )
        if self.ca_file is not None and self.url.startswith("http://"):
            raise ValueError(f"registry.ca_file has no effect with registry.url = {self.url}: it needs https")
        if missing := [name for name in _LIBRARIES if not _is_installed(name)]:
            raise ValueError(
                f"registry.url = {self.url} needs {', '.join(missing)}, which is not installed: {_INSTALL}"
            )
        return self
