"""docker-compose.yml on a broker, without Docker: every command in it is run, in Compose's
order, as the process that it would start.
"""

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.running import TIMEOUT_S, process, streams
from tests.compose.files import kubernetes, ours, seconds, words
from tests.compose.promql import check, exposed, queries
from tests.kafka.broker import bootstrap, free_ports
from tests.kafka.topics import new_name
from tests.kafka.waiting import eventually

EVENTS = 600


def command(name: str, app: str) -> list[str]:
    """A service's, with this broker, and an app and an input of its own."""
    placed = {"kafka:9092": bootstrap(), "shop": app, "clicks": f"{app}.clicks"}
    return [placed.get(word, word) for word in words(ours()[name]["command"])]


def finished(*arguments: str) -> bytes:
    """What a command prints that ends by itself."""
    running = process(*arguments)
    out, printed = running.communicate(timeout=TIMEOUT_S)
    assert 0 == running.returncode, printed
    return bytes(out)


def worker(name: str, app: str, port: int, directory: Path) -> "subprocess.Popen[bytes]":
    """As Compose would start it, on a port of this machine; the second as Kubernetes would,
    which has everything in the environment.
    """
    given, arguments = dict(ours()[name]["environment"]), command(name, app)
    if name == "worker-2":
        settings = {"BOOTSTRAP": bootstrap(), "APP": app, "INPUTS": f"{app}.clicks"}
        (manifest,) = (thing["data"] for thing in kubernetes() if thing["kind"] == "ConfigMap")
        assert {f"STREAMS_KAFKA__{key}" for key in settings} <= set(manifest)
        given |= {f"STREAMS_KAFKA__{key}": value for key, value in settings.items()}
        (arguments,) = (
            thing["spec"]["template"]["spec"]["containers"][0]["args"]
            for thing in kubernetes()
            if thing["kind"] == "StatefulSet"
        )
    given |= {"STREAMS_WEB__HOST": "127.0.0.1", "STREAMS_WEB__PORT": str(port), "STREAMS_LOG_FORMAT": "json"}
    with (directory / name).open("wb") as log:
        return process(*arguments, cwd=directory, env={**os.environ, **given}, stdout=log, stderr=log)


def page(port: int, path: str) -> str | None:
    """None: it is not there, or not well."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except (URLError, ConnectionError, TimeoutError):
        return None


def totals(ports: list[int], name: str) -> float:
    """A metric of both workers added up."""
    return sum(
        sample.value
        for port in ports
        for family in text_string_to_metric_families(page(port, "/metrics") or "")
        for sample in family.samples
        if sample.name == name
    )


def test_topics_workers_shoppers_and_lag(tmp_path: Path) -> None:
    """The topics are made, two workers share the partitions, made-up clicks are processed, nothing is
    behind, the board asks for what both show, and both stop in time with code 0.
    """
    app, ports = new_name(), free_ports(2)
    assert b"created" in finished(*command("topics", app))
    assert b"nothing to do" in finished(*command("topics", app))
    names = sorted(name for name in ours() if name.startswith("worker"))
    running = [worker(name, app, port, tmp_path) for name, port in zip(names, ports, strict=True)]
    try:
        for port in ports:
            eventually(partial(page, port, "/readyz"), f"worker ready: {printed(tmp_path)}")
            assert page(port, "/livez")
        eventually(lambda: totals(ports, "streams_open_agents") == 4, "every partition open once")

        finished(*command("generator", app), "--events", str(EVENTS), "--rate", "2000")
        lag = [*command("lag", app), "--json"]
        eventually(lambda: totals(ports, "streams_events_received_total") >= EVENTS, "everything processed")
        eventually(lambda: orjson.loads(streams(*lag).stdout)["lag"] == 0, "nothing behind")
        found = orjson.loads(finished(*lag))
        assert EVENTS == sum(
            source["position"]
            for part in found["partitions"]
            for source in part["sources"]
            if "clicks" in source["source"]
        )

        metrics = [exposed(page(port, "/metrics") or "") for port in ports]
        for _, expr, _ in queries():
            for shown in metrics:
                check(expr, shown)

        checks = [ours()[name]["healthcheck"]["test"] for name in names]
        for probing, port in zip(checks, ports, strict=True):
            probe = [
                sys.executable if word == "python" else re.sub(r"(127\.0\.0\.1):6066", rf"\1:{port}", word)
                for word in probing[1:]
            ]
            assert 0 == subprocess.run(probe, timeout=TIMEOUT_S, check=False).returncode
    finally:
        for one in running:
            one.send_signal(signal.SIGTERM)
        codes = [one.wait(timeout=seconds(ours()[names[0]]["stop_grace_period"])) for one in running]
    assert [0, 0] == codes, printed(tmp_path)
    assert set(names) == {path.name for path in tmp_path.iterdir()}, (
        "a worker writes no file: its image is read-only"
    )


def printed(directory: Path) -> str:
    """The last lines of the workers' logs."""
    return "\n".join(path.read_text(errors="replace")[-3_000:] for path in sorted(directory.glob("worker-*")))


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_service_is_run_here(name: str) -> None:
    """A service that somebody adds to the file has to be added above."""
    assert name in ("topics", "worker-1", "worker-2", "generator", "lag")
