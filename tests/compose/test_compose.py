"""docker-compose.yml, without Docker: what can be known of it from outside.

That its commands work is tested on a broker (tests/kafka).
"""

from typing import Any

import jsonschema
import pytest

from streams.settings.describing import describe
from streams.settings.tables import Settings
from tests.compose.files import OURS, ROOT, SCHEMA, compose, kubernetes, ours, seconds, services, words
from tests.compose.parsing import parse

VARIABLES = {row.variable for row in describe()}
VERSION = next(
    line for line in (ROOT / "pyproject.toml").read_text("utf-8").splitlines() if line.startswith("version")
).split('"')[1]


def test_it_is_a_compose_file() -> None:
    """It keeps the schema of the Compose Specification."""
    validator = jsonschema.validators.validator_for(SCHEMA)
    assert [error.message for error in validator(SCHEMA).iter_errors(compose())] == []
    assert [*validator(SCHEMA).iter_errors(compose() | {"services": {"a": {"imgae": "b"}}})] != []


@pytest.mark.parametrize("name", sorted(services()))
def test_every_image_has_a_tag(name: str) -> None:
    """One that does not move; ours is this version."""
    image, _, tag = services()[name]["image"].rpartition(":")
    assert image
    assert tag not in ("", "latest")
    assert image != OURS or tag == VERSION


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_command_is_one_of_ours(name: str) -> None:
    """The command line takes it as it stands."""
    assert parse(words(ours()[name]["command"])) in ("run", "topics apply", "generate", "lag")


def test_a_wrong_command_would_be_found() -> None:
    """Parsing tells an option that does not exist."""
    for wrong in (
        ["generate", "--rtae", "5"],
        ["generate", "--rate", "often"],
        ["genrate"],
        ["generate", "more"],
    ):
        with pytest.raises(
            Exception, match=wrong[-1] if len(wrong) == 1 else "(?i)no such option|valid number|unexpected"
        ):
            parse(wrong)


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_variable_is_a_setting(name: str) -> None:
    """And has a value that the settings take."""
    given = ours()[name].get("environment", {})
    assert [variable for variable in given if variable not in VARIABLES] == []


def test_nobody_but_this_machine_can_reach_it() -> None:
    """Ports are published on the loopback address, each once."""
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert len({port.split(":")[1] for port in published}) == len(published)


def test_who_is_waited_for_can_be_waited_for() -> None:
    """A service that must be healthy has a healthcheck; one that must be done
    ends, and is not started again when it did.
    """
    for service in services().values():
        for name, wanted in service.get("depends_on", {}).items():
            other = services()[name]
            if wanted["condition"] == "service_healthy":
                assert "test" in other["healthcheck"]
            else:
                assert wanted["condition"] == "service_completed_successfully"
                assert other["restart"] == "on-failure"


def test_every_service_has_a_health_or_says_that_it_has_none() -> None:
    """The image's own check is a worker's: for other commands it would fail."""
    for service in services().values():
        assert set(service["healthcheck"]) & {"test", "disable"}


def test_a_worker_gets_the_time_to_stop() -> None:
    """Longer than the settings allow it, in Compose and on Kubernetes."""
    grace_s = Settings().kafka.grace / 1000
    workers = [service for service in ours().values() if words(service["command"])[0] == "run"]
    assert len(workers) == 2
    assert all(seconds(worker["stop_grace_period"]) >= grace_s + 5 for worker in workers)
    assert pod("StatefulSet")["terminationGracePeriodSeconds"] >= grace_s + 5


def test_workers_have_names_of_their_own() -> None:
    """Two processes of one name would throw each other out for ever."""
    names = [
        service["environment"]["STREAMS_KAFKA__INSTANCE"]
        for service in ours().values()
        if words(service["command"])[0] == "run"
    ]
    assert len(set(names)) == len(names) == 2


def pod(kind: str) -> dict[str, Any]:
    """What the pods of an object are made from."""
    (found,) = [thing for thing in kubernetes() if thing["kind"] == kind]
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("kind", ["StatefulSet", "Job"])
def test_pods_run_our_commands_without_rights(kind: str) -> None:
    """Commands that the command line takes, a pinned image, no root, nothing written beside the volumes."""
    spec = pod(kind)
    (container,) = spec["containers"]
    parse(container["args"])
    assert container["image"].endswith(f"{OURS}:{VERSION}")
    assert spec["securityContext"]["runAsNonRoot"]
    inside = container["securityContext"]
    assert (False, True) == (inside["allowPrivilegeEscalation"], inside["readOnlyRootFilesystem"])
    assert ["ALL"] == inside["capabilities"]["drop"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in spec["volumes"]
    }


def test_manifests_set_settings_only() -> None:
    """Each variable is one; a password and a token stand in a Secret."""
    things = {thing["kind"]: thing for thing in kubernetes()}
    given = {
        *things["ConfigMap"]["data"],
        *things["Secret"]["stringData"],
        *(e["name"] for e in pod("StatefulSet")["containers"][0]["env"]),
    }
    assert given <= VARIABLES
    assert not any("PASSWORD" in name or "TOKEN" in name for name in things["ConfigMap"]["data"])
    assert ["STREAMS_KAFKA__PASSWORD", "STREAMS_WEB__TOKEN"] == list(things["Secret"]["stringData"])


def test_probes_ask_what_they_are_for() -> None:
    """A worker that restores lives, and is not ready: else a long restore would be killed again and again."""
    (container,) = pod("StatefulSet")["containers"]
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
    }
    assert {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"} == paths
