"""Turns the settings of a cluster into a connection, in one place."""

import importlib
import inspect
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.errors import ConfigError
from streams.log.kafka.client import Cluster
from streams.log.kafka.oauth import Tokens
from streams.settings.kafka import KafkaSettings, missing_setting


def cluster(kafka: KafkaSettings) -> Cluster:
    """A connection with these settings; nothing is connected yet. Raises ConfigError, which names the key and
    the value.
    """
    if kafka.bootstrap is None:
        raise ConfigError(missing_setting("bootstrap"))
    security: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        security["ssl_context"] = _tls(kafka)
    if kafka.sasl_mechanism is not None:
        security["sasl_mechanism"] = kafka.sasl_mechanism
        if kafka.oauth is not None:
            security["sasl_oauth_token_provider"] = _provider(kafka.oauth)
        else:
            assert kafka.password is not None
            security |= {
                "sasl_plain_username": kafka.username,
                "sasl_plain_password": kafka.password.get_secret_value(),
            }
    return Cluster(kafka.bootstrap, security, None if kafka.compression == "none" else kafka.compression)


def _tls(kafka: KafkaSettings) -> ssl.SSLContext:
    for key in ("ca_file", "cert_file", "key_file"):
        _readable(key, getattr(kafka, key))
    try:
        context = ssl.create_default_context(cafile=kafka.ca_file)
    except ssl.SSLError as error:
        raise ConfigError(
            f"kafka.ca_file = {kafka.ca_file}: holds no certificates: it must be PEM, with -----BEGIN "
            "CERTIFICATE-----"
        ) from error
    if kafka.cert_file is None:
        return context
    asked = False

    def password() -> str:
        """The password. OpenSSL calls this only if the key is encrypted, and without it would ask on the
        terminal.
        """
        nonlocal asked
        asked = True
        return kafka.key_password.get_secret_value() if kafka.key_password is not None else ""

    try:
        context.load_cert_chain(kafka.cert_file, kafka.key_file, password)
    except (ssl.SSLError, ValueError) as error:
        key = "cert_file" if kafka.key_file is None else "key_file"
        where = f"kafka.{key} = {getattr(kafka, key)}"
        if asked and kafka.key_password is None:
            raise ConfigError(
                f"{where}: the private key is encrypted: set STREAMS_KAFKA__KEY_PASSWORD"
            ) from None
        if asked:
            raise ConfigError(f"{where}: kafka.key_password does not open the private key") from None
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"{where}: is not the private key of kafka.cert_file = {kafka.cert_file}"
            ) from error
        files = f"kafka.cert_file = {kafka.cert_file}, kafka.key_file = {kafka.key_file or 'none'}"
        raise ConfigError(f"{files}: hold no certificate with its private key: both must be PEM") from error
    return context


def _readable(key: str, file: Path | None) -> None:
    if file is None:
        return
    try:
        file.read_bytes()
    except OSError as error:
        raise ConfigError(f"kafka.{key} = {file}: cannot be read: {error.strerror}") from error


def _provider(hook: str) -> Any:
    return Tokens(function(hook), hook)


def function(hook: str) -> Callable[[], object]:
    """The function that `module:function` names. Raises ConfigError."""
    module, _, name = hook.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # somebody else's module may raise anything
        raise ConfigError(
            f"kafka.oauth = {hook}: {module} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise ConfigError(f"kafka.oauth = {hook}: {module} has no function {name}")
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise ConfigError(f"kafka.oauth = {hook}: is to be called without arguments, but {error}") from error
    except ValueError:  # a built-in without a signature: calling it will show
        pass
    return found
