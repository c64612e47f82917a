"""`streams topics` on a real broker: what it makes is there, what it refuses is left as it was."""

import asyncio
import json
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from streams.errors import ConfigError, Incompatible
from streams.log.kafka.client import Cluster
from streams.log.kafka.topics.cluster import admin, checked, look
from streams.log.kafka.topics.config import OWN_CONFIG
from streams.log.kafka.topics.plan import own_topics
from streams.topology import KAFKA_TOPICS, own_topic
from tests.cli.running import streams
from tests.kafka import topics
from tests.kafka.broker import bootstrap, free_ports


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMS_KAFKA__START_TIMEOUT", "5s")


@pytest.fixture
def app() -> str:
    """A name, and an input of three partitions called `<name>.events`."""
    name = topics.new_name()
    make(NewTopic(f"{name}.events", 3, 1))
    return name


def make(*new: NewTopic) -> None:
    """Topics, until a broker knows of them."""

    async def work() -> None:
        await topics.create(list(new))
        async with admin(Cluster(bootstrap()), "x") as client:
            while len((await look(client, [one.name for one in new])).topics) < len(new):
                await asyncio.sleep(0.05)

    asyncio.run(work())


def run(command: str, app: str, *options: object, inputs: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    """Its exit code and its JSON, if any."""
    named = [word for name in inputs or (f"{app}.events",) for word in ("--input", name)]
    result = streams("topics", command, "--kafka", bootstrap(), "--app", app, *named, "--json", *options)
    found = json.loads(result.stdout) if result.stdout else {}
    return result.exit_code, found | {"error": result.stderr}


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    """By topic."""
    return {topic["topic"]: topic["verdict"] for topic in found["topics"]}


def test_made_once(app: str) -> None:
    """A plan says what is missing (1), applying makes exactly that (0), and then there is
    nothing to do (0), however often it is applied.
    """
    code, found = run("plan", app)
    assert (1, 3) == (code, found["partitions"])
    assert verdicts(found) == {f"{app}.events": "fine"} | dict.fromkeys(own_topics(app), "create")
    code, found = run("apply", app)
    assert 0 == code
    assert verdicts(found) == {f"{app}.events": "fine"} | dict.fromkeys(own_topics(app), "created")
    for command in ("plan", "apply", "plan"):
        code, found = run(command, app)
        assert (0, {"fine"}) == (code, set(verdicts(found).values()))

    async def there() -> dict[str, Any]:
        async with admin(Cluster(bootstrap()), "x") as client:
            return {
                name: (found.partitions, found.config)
                for name, found in (await look(client, own_topics(app))).topics.items()
            }

    single = {own_topic(app, topic) for topic in KAFKA_TOPICS if topic.single}
    for name, (partitions, config) in asyncio.run(there()).items():
        assert (1 if name in single else 3) == partitions
        wanted = OWN_CONFIG[name.removeprefix(f"{app}.")]
        assert wanted == {key: config[key] for key in wanted}
    assert (3, {f"{app}.events": 3}) == asyncio.run(checked(Cluster(bootstrap()), app, [f"{app}.events"]))[:2]


def test_what_a_person_sees(app: str) -> None:
    """A table of at most 100 columns with every topic, what to do, and what one broker means."""
    result = streams("topics", "plan", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events")
    assert 1 == result.exit_code
    assert [] == [name for name in [*own_topics(app), f"{app}.events"] if name not in result.stdout]
    assert f"{len(own_topics(app))} topics to create: streams topics apply" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    made = streams("topics", "apply", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events")
    assert f"{len(own_topics(app))} topics created" in made.stdout
    assert (
        "nothing to do"
        in streams("topics", "apply", "--kafka", bootstrap(), "--app", app, "--input", f"{app}.events").stdout
    )


def test_inputs_for_a_laptop(app: str) -> None:
    """An input that is not there is an error that names it (2), and
    nothing is made; --create-inputs makes it.
    """
    new = f"{app}.orders"
    code, found = run("apply", app, inputs=(f"{app}.events", new))
    assert (2, True) == (
        code,
        f"{new}: does not exist: make it, or see `streams topics apply --create-inputs`" in found["error"],
    )
    assert {"create"} == {
        verdict for name, verdict in verdicts(run("plan", app)[1]).items() if name in own_topics(app)
    }
    code, _ = run("apply", app, "--create-inputs", "--partitions", 2, inputs=(f"{app}.events", new))
    assert 0 == code
    assert (2, {f"{app}.events": 3, new: 2}) == asyncio.run(
        checked(Cluster(bootstrap()), app, [f"{app}.events", new])
    )[:2]


@pytest.mark.parametrize(
    ("name", "partitions", "policy", "message"),
    [
        ("late", 2, "delete", "has 2 partitions, and must have 3"),
        ("state", 3, "delete", "has cleanup.policy=delete, and must have compact"),
        ("transitions", 3, "compact", "has cleanup.policy=compact, and must have delete"),
    ],
)
def test_a_wrong_topic_is_refused(app: str, name: str, partitions: int, policy: str, message: str) -> None:
    """By plan, by apply, which makes nothing, and by whoever wants to work (3)."""
    wrong = (
        [NewTopic(f"{app}.state", 3, 1, topic_configs={"cleanup.policy": "compact"})]
        if name != "state"
        else []
    )
    wrong.append(NewTopic(f"{app}.{name}", partitions, 1, topic_configs={"cleanup.policy": policy}))
    make(*wrong)
    for command in ("plan", "apply"):
        code, found = run(command, app)
        assert (3, True) == (code, f"error: {app}.{name}: {message}" in found["error"])
        assert "new app id" in found["error"]
    assert "create" == verdicts(run("plan", app)[1])[f"{app}.current"]
    with pytest.raises(Incompatible, match="new app id"):
        asyncio.run(checked(Cluster(bootstrap()), app, [f"{app}.events"]))


@pytest.mark.parametrize("name", ["transitions", "state"])
def test_a_topic_that_came_too_early_does_not_decide(app: str, name: str) -> None:
    """A broker makes a topic by itself for a reader who comes before the app: one partition, not compacted.

    Apply refuses it and makes nothing (3). When it is deleted, the app gets the partitions of its input.
    """
    early = f"{app}.{name}"
    make(NewTopic(early, 1, 1))
    code, found = run("apply", app)
    assert (3, True) == (code, f"{early}: has 1 partition, and must have 3" in found["error"])
    assert "delete it and apply again" in found["error"]
    assert "create" == verdicts(run("plan", app)[1])[f"{app}.late"]

    async def delete() -> None:
        async with admin(Cluster(bootstrap()), "x") as client:
            await client.delete_topics([early])
            while early in (await look(client, [early])).topics:
                await asyncio.sleep(0.05)

    asyncio.run(delete())
    code, found = run("apply", app)
    assert (0, 3) == (code, found["partitions"])


def test_a_worker_makes_nothing(app: str) -> None:
    """It names what is missing, and which command makes it."""
    with pytest.raises(
        ConfigError,
        match=rf"there is no topic {app}\.transitions, .*: `streams topics apply` makes what is missing",
    ):
        asyncio.run(checked(Cluster(bootstrap()), app, [f"{app}.events"]))
    assert 1 == run("plan", app)[0]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--app", "a", "--input", "b"], 2, "kafka.bootstrap is missing"),
        (["--kafka", "localhost:1"], 2, "kafka.app is missing"),
        (
            ["--kafka", "localhost", "--app", "a", "--input", "b"],
            2,
            "kafka.bootstrap = 'localhost': 'localhost' is no address",
        ),
        (
            ["--kafka", "localhost:1", "--app", "a", "--input", "a.late"],
            2,
            "this app writes that topic itself",
        ),
        (["--kafka", "localhost:1", "--app", "a", "--input", "b", "--partitions", "0"], 2, "--partitions"),
    ],
)
def test_wrong_commands(options: list[str], code: int, message: str) -> None:
    """What is wrong is named; nobody is asked."""
    result = streams("topics", "plan", *options)
    assert (code, True) == (result.exit_code, message in result.stderr)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line per try on standard error, then the end (5)."""
    monkeypatch.setenv("STREAMS_KAFKA__START_TIMEOUT", "1s")
    result = streams(
        "topics", "apply", "--kafka", f"127.0.0.1:{free_ports(1)[0]}", "--app", "a", "--input", "b"
    )
    assert (5, "") == (result.exit_code, result.stdout)
    *tries, last = result.stderr.splitlines()
    assert all("trying again in" in line for line in tries)
    assert "error: no broker at 127.0.0.1" in last


def test_more_copies_than_brokers(app: str) -> None:
    """Is refused before anything is made (2)."""
    code, found = run("apply", app, "--replication", 7)
    assert (2, True) == (code, "--replication 7: there" in found["error"])
