"""Files of agents get the app of the process, and a wrong one is refused with the reason."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import host
from streams.errors import ConfigError
from tests.host.hosting import settings

AGENT = """
from streams.host import app, {topics}

@app.agent({topic})
async def {name}(stream):
    async for value in stream:
        pass
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test begins without an app, as a process does."""
    before = set(sys.modules)
    monkeypatch.setattr(host, "_app", None)
    monkeypatch.chdir(tmp_path)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_and_a_module(tmp_path: Path) -> None:
    """Agents of both become the app's agents, each on a topic of the app."""
    (tmp_path / "mine.py").write_text(AGENT.format(topics="transitions", topic="transitions", name="first"))
    (tmp_path / "shopping").mkdir()
    (tmp_path / "shopping" / "agents.py").write_text(
        AGENT.format(topics="current, journeys", topic="journeys", name="second")
    )
    made = host.make_app(settings(), ["mine.py", "shopping.agents"])
    assert [(agent.fun.__name__, agent.channel.get_topic_name()) for agent in made.agents.values()] == [
        ("first", "shop.transitions"), ("second", "shop.journeys")
    ]  # fmt: skip
    assert host.app is made


WRONG = {
    "gone.py": (None, "--agents gone.py: does not exist"),
    "syntax.py": ("def f(:\n", "--agents syntax.py: is not Python: .* (line 1)"),
    "empty.py": ("x = 1\n", "--agents empty.py: there is no agent in it: write @app.agent"),
    "raises.py": ("\n\n1 / 0\n", "--agents raises.py: ZeroDivisionError: division by zero (line 3)"),
    "imports.py": (
        "import not_there_at_all\n",
        "--agents imports.py: ModuleNotFoundError: No module named 'not_there_at_all'",
    ),
    "other.py": (
        "from streams.host import nothing\n",
        "--agents other.py: ImportError: cannot import name 'nothing'",
    ),
    "tables.py": ("from streams.host import app\nt = app.Table('x')\n", "app.Table('x'): tables are off"),
    "json.py": (
        AGENT.format(topics="current", topic="current", name="f"),
        "--agents json.py: a module is called json already",
    ),
    "not.a-module": (None, "--agents not.a-module: is neither a Python file nor a module"),
    "no_such.module": (None, "--agents no_such.module: ModuleNotFoundError"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one(name: str, tmp_path: Path) -> None:
    """The error names the file, the mistake and its place."""
    text, expected = WRONG[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        host.make_app(settings(), [name])
    for part in expected.split(" .* "):
        assert part in str(caught.value)


def test_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of the documentation can be loaded."""
    monkeypatch.chdir(Path(__file__).parents[2])
    assert len(host.make_app(settings(), ["examples/my_agents.py"]).agents) == 2


def test_outside_of_a_command_the_settings_of_the_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing setting is an error that names it; complete ones make the app."""
    with pytest.raises(ConfigError, match=r"kafka\.bootstrap is missing"):
        host.app  # noqa: B018  (making it is what is tested)
    for key, value in (("BOOTSTRAP", "127.0.0.1:9"), ("APP", "shop"), ("INPUTS", "clicks")):
        monkeypatch.setenv(f"STREAMS_KAFKA__{key}", value)
    assert host.app.process.deployment.app == "shop"
    assert host.transitions.get_topic_name() == "shop.transitions"


def test_nothing_else_is_made_up() -> None:
    """A name that is not there is an error like that of any module."""
    with pytest.raises(AttributeError):
        host.tallies  # noqa: B018  (looking is what is tested)


def test_fausts_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable meant for another program opens no page to the world and changes no guarantee."""
    for name, value in (
        ("WEB_BIND", "0.0.0.0"),
        ("PROCESSING_GUARANTEE", "exactly_once"),
        ("BROKER_URL", "kafka://elsewhere"),
    ):
        monkeypatch.setenv(name, value)
    made = host.make_app(settings())
    assert [str(url) for url in made.conf.broker] == ["kafka://127.0.0.1:9"]
    assert not made.in_transaction
