"""What holds for every test."""

import pytest
from hypothesis import settings

from tests.kafka import broker

settings.register_profile("steady", deadline=None)  # how busy the machine is proves nothing
settings.load_profile("steady")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not tested is said aloud."""
    if why := broker.missing():
        terminalreporter.write_sep("=", "KAFKA WAS NOT TESTED", yellow=True)
        terminalreporter.write_line(why)
