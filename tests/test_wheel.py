"""The wheel holds all that the program needs, and runs in an environment that has nothing but its locked
requirements.

Every other test imports the checkout, where a file that the wheel forgot is still there. Without a package
index, or a cache that has the requirements, the tests that install the wheel are skipped; with CI=true or
REQUIRE_WHEEL=1, which `.ci/run` sets, they fail.
"""

import email
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("streams", "schemas")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TIMEOUT_S = 600.0  # a machine that is ten times slower downloads and unpacks 60 MB in this time
LINES = [
    {"type": "track", "messageId": "1", "userId": "4711", "event": "Product Viewed"},
    {"type": "track", "messageId": "2", "userId": "4711", "event": "Order Completed"},
]
IMPORT_ALL = f"""
import importlib, pkgutil, sys
for name in {PACKAGES}:
    package = importlib.import_module(name)
    print(package.__file__)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__") and module.name not in sys.argv:
            print(importlib.import_module(module.name).__file__)
"""
# By extra, the modules that import its libraries.
NEED_EXTRA = {
    "parquet": [
        f"streams.queries.parquet.{name}" for name in ("columns", "exporting", "table_file", "tables")
    ],
    "registry": [
        f"streams.log.kafka.registry.{name}" for name in ("avro", "decoding", "protobuf", "readers")
    ],
}
REGISTRY = '[registry]\nurl = "https://registry.example"\n'

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the locked requirements and the wheel; or the end of the test."""
    return made_environment("runtime", wheel, tmp_path_factory.mktemp("installed") / "venv")


@pytest.fixture(scope="module", params=sorted(NEED_EXTRA))
def extra_environment(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Others, each of which has an extra, too; and its name."""
    return request.param, made_environment(request.param, wheel, tmp_path_factory.mktemp("extra") / "venv")


def made_environment(lock: str, wheel: Path, folder: Path) -> Path:
    """A virtual environment, made as .venv is made."""
    options = {
        "PYTHON": sys.executable,
        "VENV": str(folder),
        "LOCK": f"requirements/{lock}.txt",
        "WHEEL": str(wheel),
    }
    made = subprocess.run(
        ["sh", "requirements/venv"],
        cwd=ROOT,
        env=os.environ | options,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if made.returncode:
        why = f"the locked requirements cannot be installed: {made.stderr.strip()}"
        if os.environ.get("CI") == "true" or os.environ.get("REQUIRE_WHEEL") == "1":
            pytest.fail(why, pytrace=False)
        pytest.skip(why)
    return folder


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Run:
    """Runs a program of the environment in an empty directory."""
    return runner(environment, tmp_path)


def runner(environment: Path, directory: Path) -> Run:
    """Runs programs of an environment in a directory, with nothing that leads back to the checkout."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }

    def run(program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [environment / "bin" / program, *arguments],
            cwd=directory,
            env=clean,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    return run


def test_the_wheel_has_every_file_of_its_packages(wheel: Path) -> None:
    """The rules, the schemas, their examples and the markers of types are in the wheel, and nothing but the
    two packages is.
    """
    tracked = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"streams/core/moments/shipped/rules.toml", "schemas/json/transitions.schema.json"} <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert tracked == {name for name in names if ".dist-info/" not in name}


def test_the_wheel_describes_itself(wheel: Path) -> None:
    """Name, version, requirements, license and command are those of pyproject.toml."""
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        assert b"streams = streams.cli:main" in archive.read(f"{folder}/entry_points.txt")
        assert f"{folder}/licenses/LICENSE" in archive.namelist()
    assert (PROJECT["name"], PROJECT["version"]) == (metadata["Name"], metadata["Version"])
    required = metadata.get_all("Requires-Dist", [])
    extras = PROJECT["optional-dependencies"]
    assert sorted(extras) == metadata.get_all("Provides-Extra")
    for name, requirements in extras.items():
        assert len(requirements) == sum(f"extra == '{name}'" in line for line in required)
    assert len(PROJECT["dependencies"]) == sum("extra ==" not in line for line in required)


def test_every_module_imports_from_the_wheel(run: Run, environment: Path) -> None:
    """Each module comes from the environment, and needs nothing beside the locked requirements of the
    program.
    """
    imported = run("python", "-c", IMPORT_ALL, *chain(*NEED_EXTRA.values()))
    assert 0 == imported.returncode, imported.stderr
    files = imported.stdout.split()
    assert len(files) > 100
    assert [] == [file for file in files if not Path(file).is_relative_to(environment)]


def test_without_the_extra_a_registry_is_refused(run: Run, tmp_path: Path) -> None:
    """The message says what to install."""
    (tmp_path / "streams.toml").write_text(REGISTRY, "utf-8")
    refused = run("streams", "check-config")
    assert 2 == refused.returncode
    assert (
        "registry.url = https://registry.example needs fastavro, google.protobuf, google.type, which is not "
        "installed: pip install 'customer-journey-streams[registry]'"
    ) in refused.stderr.replace("\n", " ")


def test_without_the_extra_nothing_is_exported(run: Run) -> None:
    """The message says what to install."""
    refused = run("streams", "export", "--parquet", "shop")
    assert 2 == refused.returncode
    assert "pip install 'customer-journey-streams[parquet]'" in refused.stderr.replace("\n", " ")


def test_with_the_extra_every_module_imports(extra_environment: tuple[str, Path], tmp_path: Path) -> None:
    """What needs an extra is a part of the program like any other then."""
    extra, environment = extra_environment
    run, needed = runner(environment, tmp_path), NEED_EXTRA[extra]
    others = chain(*[modules for name, modules in NEED_EXTRA.items() if name != extra])
    imported = run("python", "-c", IMPORT_ALL, *others)
    assert 0 == imported.returncode, imported.stderr
    paths = [f"/{module.replace('.', '/')}.py" for module in needed]
    assert [] == [path for path in paths if path not in imported.stdout]
    (tmp_path / "streams.toml").write_text(REGISTRY if extra == "registry" else "", "utf-8")
    checked = run("streams", "check-config")
    assert 0 == checked.returncode, checked.stderr


def test_the_installed_program_helps(run: Run) -> None:
    """`streams --help` lists the commands."""
    shown = run("streams", "--help")
    assert 0 == shown.returncode, shown.stderr
    assert "replay" in shown.stdout


def test_the_installed_program_replays(run: Run, tmp_path: Path) -> None:
    """Events of a file become a converted journey, which verifies."""
    records = [line | {"timestamp": f"2024-05-20T18:2{n}:00Z"} for n, line in enumerate(LINES)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    replayed = run("streams", "replay", "events.jsonl", "--data-dir", "data")
    assert 0 == replayed.returncode, replayed.stderr
    funnel = run("streams", "funnel", "--data-dir", "data", "--json")
    found = json.loads(funnel.stdout)
    assert (1, 1, 2) == (found["profiles"], found["profiles_converted"], found["events"]["applied"])
    verified = run("streams", "verify", "--data-dir", "data")
    assert 0 == verified.returncode, verified.stderr
