"""The Dockerfile, without Docker: its files exist, its steps are
those of the lock, its check asks a worker.
"""

import json
import re
import subprocess
import sys
import threading
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import requires

import pytest

from tests.compose.files import ROOT, stages

BUILD, FINAL = stages()
TIMEOUT_S = 30


def instructions(word: str) -> list[str]:
    return [rest for stage in (BUILD, FINAL) for found, rest in stage if found == word]


def test_both_stages_stand_on_one_pinned_slim_base() -> None:
    """A virtual environment is moved from one to the other: they must be the
    same, and must not change by themselves.
    """
    bases = [stage[0].rest.split()[0] for stage in (BUILD, FINAL)]
    assert bases[0] == bases[1]
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    assert BUILD[0].rest.endswith(" AS build")


def test_what_is_copied_is_there_and_is_let_in() -> None:
    """Each source of a COPY from outside exists, and .dockerignore lets it through."""
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    sources = [
        source
        for rest in instructions("COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert {"streams", "schemas", "requirements/registry.txt"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) == let_in


def test_nothing_else_is_let_in() -> None:
    """No data, no history, no settings file with a password."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert "*" == rules[0]
    assert not any(
        fnmatch(secret, rule[1:])
        for rule in rules
        if rule.startswith("!")
        for secret in (".git", "data", "streams.toml", ".env")
    )


def test_the_wheel_is_built_of_what_the_project_says() -> None:
    """Everything that its build needs is copied: the packages, and the files that pyproject.toml names."""
    copied = {source for rest in instructions("COPY") for source in rest.split()[:-1]}
    assert {"pyproject.toml", "README.md", "LICENSE", "streams", "schemas"} <= copied


def test_everything_that_is_installed_is_hashed() -> None:
    """Requirements by the locks with their hashes, ours from the wheel
    that was just built, and nothing else.
    """
    installs = [
        part
        for rest in instructions("RUN")
        for part in rest.split("&&")
        if " install " in part and "pip" in part
    ]
    assert len(installs) == 3
    assert [part for part in installs if "--require-hashes" not in part and "--no-index" not in part] == []
    assert all("--no-deps" in part for part in installs)


def test_the_step_that_picks_the_build_tools_picks_all_of_them(tmp_path: object) -> None:
    """It takes the builder and what the builder needs out of the lock, with their hashes."""
    (step,) = [rest for rest in instructions("RUN") if "awk" in rest]
    script = step.split(" > ")[0]
    picked = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
    ).stdout
    names = set(re.findall(r"^([a-z0-9-]+)==", picked, re.MULTILINE))
    needed = {
        re.split(r"[^A-Za-z0-9-]", line)[0]
        for line in requires("hatchling") or []
        if "python_version <" not in line and "extra" not in line
    }
    assert {"hatchling"} | needed == names
    assert picked.count("--hash=sha256:") >= len(names)


def test_it_runs_as_nobody() -> None:
    """By number, so that a cluster which forbids root can see it; set before whatever runs."""
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    words = [word for word, _ in FINAL]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert ["streams"] == json.loads(instructions("ENTRYPOINT")[0])


@pytest.mark.parametrize(
    ("status", "expected"), [(200, 0), (503, 1), (None, 1)], ids=["alive", "not well", "nobody there"]
)
def test_the_check_asks_a_worker(status: int | None, expected: int) -> None:
    """Python asks, since there is no curl: 0 when /livez answers well,
    1 when it does not or nobody answers.
    """
    (check,) = instructions("HEALTHCHECK")
    python, flag, code = json.loads(check.partition(" CMD ")[2])
    assert ("python", "-c") == (python, flag)
    asked: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status or 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not here."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        port = str(server.server_address[1])
        if status is not None:
            threading.Thread(target=server.handle_request, daemon=True).start()
        else:
            server.server_close()
        done = subprocess.run(
            [sys.executable, flag, code],
            env={"STREAMS_WEB__PORT": port},
            capture_output=True,
            timeout=TIMEOUT_S,
        )
    assert expected == done.returncode
    assert asked == (["/livez"] if status else [])
