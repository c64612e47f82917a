"""What holds for every test."""

import os
from typing import Any

import pytest
from hypothesis import settings

from tests.kafka import broker

# What takes minutes begins first: the processes that share the files end at about the same time.
LONGEST = (
    "tests/simulation/test_simulation.py",
    "tests/end_to_end/test_kill.py",
    "tests/torture/test_torture.py",
    "tests/planted/test_planted.py",
    "tests/kafka/test_three.py",
    "tests/contract/test_model.py",
    "tests/test_bench_kafka.py",
)

settings.register_profile("steady", deadline=None)  # how busy the machine is proves nothing
settings.load_profile("steady")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: tests with a broker mostly wait."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


class WithoutBroker:
    """What the processes that share the tests say: why there was no broker."""

    def __init__(self) -> None:
        self.why: str | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.why = self.why or getattr(node, "workeroutput", {}).get("without_broker")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(WithoutBroker(), WithoutBroker.__name__)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["without_broker"] = broker.missing()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was not tested is said aloud."""
    shared = config.pluginmanager.get_plugin(WithoutBroker.__name__)
    if why := broker.missing() or (shared and shared.why):
        terminalreporter.write_sep("=", "KAFKA WAS NOT TESTED", yellow=True)
        terminalreporter.write_line(why)
