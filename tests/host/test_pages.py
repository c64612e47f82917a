"""The pages show health and metrics, and there are no others."""

import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from streams.errors import ConfigError
from streams.host import pages
from streams.host.pages import advertised_address, readiness
from streams.host.serve import run_app
from streams.runtime.status import WorkerStatus
from streams.settings.host import WebSettings
from tests.host.hosting import app, running

ALL = frozenset({0, 1, 2})


def status(
    opened: frozenset[int], joined: bool = True, restoring: Mapping[int, tuple[int, int]] = {}
) -> WorkerStatus:
    """A worker that has all three partitions assigned."""
    return WorkerStatus(joined=joined, assigned=ALL, opened=opened, restoring=dict(restoring))


@pytest.mark.parametrize(
    ("status", "ready", "missing"),
    [
        (WorkerStatus(), False, {}),
        (status(ALL), True, {}),
        # With more workers than partitions, this one is ready to take over.
        (WorkerStatus()._replace(joined=True), True, {}),
        (status(frozenset({0, 2})), False, {"1": "opening"}),
        (
            status(frozenset({0}), restoring={2: (10, 400)}),
            False,
            {"1": "opening", "2": "restoring, 10 of 400 records"},
        ),
        (status(ALL, joined=False), False, {}),  # during a rebalance
        (status(ALL)._replace(assigned=frozenset({0})), True, {}),  # the others are being given back
    ],
)
def test_readiness(status: WorkerStatus, ready: bool, missing: dict[str, str]) -> None:
    """A worker is ready when it is a member of the group and works on all partitions assigned to it."""
    found = readiness(status)
    assert (found.ready, found.missing) == (ready, missing)
    assert found.open <= found.assigned == len(status.assigned)


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_the_pages() -> None:
    """The three pages are served on loopback with their types, and /readyz follows the worker."""
    async with running(app()) as (worker, url):
        assert url.startswith("http://127.0.0.1:")
        assert await get(f"{url}/livez") == (200, "text/plain", "ok\n")
        assert await get(f"{url}/readyz") == (
            200,
            "application/json",
            '{"ready":true,"joined":true,"assigned":2,"open":2,"missing":{},"blocked":{}}',
        )
        worker.current = worker.current._replace(opened=frozenset({1}))
        assert (await get(f"{url}/readyz"))[0] == 503
        status, type_, text = await get(f"{url}/metrics")
        assert (status, type_) == (200, "text/plain")
        assert "streams_open_agents 0.0" in text


@pytest.mark.parametrize(
    "path", ["/", "/table/", "/router/", "/graph/", "/performance/metrics", "/stats/", "/nothing"]
)
async def test_no_page_of_fausts_is_served(path: str) -> None:
    """Faust's pages, of which some show the contents of tables, are not found."""
    async with running(app()) as (_, url):
        assert (await get(url + path))[0] == 404


async def test_a_loop_that_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """/livez fails when nothing has moved for too long."""
    monkeypatch.setattr(pages, "STANDSTILL_S", -1.0)
    async with running(app()) as (_, url):
        status, _, text = await get(f"{url}/livez")
        assert status == 503
        assert text.startswith("stood still for ")


async def test_the_loop_shows_that_it_turns() -> None:
    """The last sign of life of a running loop is recent."""
    made = app()
    async with running(made):
        assert time.monotonic() - made.worker_service.last_beat_s < 5


@pytest.mark.parametrize(
    ("web", "expected"),
    [
        ({"port": None}, "is taken on 127.0.0.1"),
        ({"host": "192.0.2.1", "port": 0}, "web.host = 192.0.2.1, web.port = 0: cannot be"),
    ],
)
async def test_an_address_that_cannot_be_had(web: dict[str, Any], expected: str) -> None:
    """The worker ends with an error that names the setting to change."""
    async with running(app()) as (_, url):
        taken = int(url.rpartition(":")[2])
        made = app(web=WebSettings(**{**web, "port": taken if web["port"] is None else web["port"]}))
        assert await run_app(made)
    assert isinstance(made.process.failure, ConfigError)
    assert expected in str(made.process.failure)


QUESTION = b'{"key":"u:4711","partitions":[0]}'
TOKEN = "twenty-four-random-letters"


async def ask(url: str, body: bytes = QUESTION, **headers: str) -> tuple[int, str, str | None]:
    """Status, text, and when to ask again."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/profiles", data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text(), answer.headers.get("Retry-After")


async def test_who_may_ask_for_a_person() -> None:
    """On loopback this machine, by its own name; with a token whoever has it. What cannot be known is 503."""
    async with running(app()) as (_, url):
        status, text, again = await ask(url)
        assert (503, "1") == (status, again)
        assert "no worker is known" in text
        assert 403 == (await ask(url, Host="shop.example"))[0]
        assert (400, "the question cannot be read\n", None) == await ask(url, b'{"key":1}')
        assert 405 == (await get(f"{url}/profiles"))[0]
        metrics = (await get(f"{url}/metrics"))[2]
        assert 'streams_person_questions_total{outcome="unavailable"} 1.0' in metrics
        assert "4711" not in metrics
    secret = WebSettings.model_validate({"port": 0, "token": TOKEN})
    async with running(app(web=secret)) as (_, url):
        assert 401 == (await ask(url))[0]
        assert 401 == (await ask(url, Authorization="Bearer something-else-altogether"))[0]
        assert 503 == (await ask(url, Authorization=f"Bearer {TOKEN}"))[0]
        assert 503 == (await ask(url, Authorization=f"Bearer {TOKEN}", Host="shop.example"))[0]


@pytest.mark.parametrize(
    ("web", "advertised"),
    [
        ({}, "127.0.0.1:6066"),
        ({"host": "::1"}, "[::1]:6066"),
        ({"advertise": "worker-1.shop"}, "worker-1.shop:6066"),
        ({"advertise": "10.1.2.3:80"}, "10.1.2.3:80"),
        ({"advertise": "[fd00::1]"}, "[fd00::1]:6066"),
        ({"host": "0.0.0.0"}, None),
        ({"host": "10.1.2.3", "advertise": "shop"}, None),
        ({"host": "10.1.2.3", "token": TOKEN}, "10.1.2.3:6066"),
        ({"host": "0.0.0.0", "advertise": "10.1.2.3", "token": TOKEN}, "10.1.2.3:6066"),
    ],
)
def test_where_others_can_ask(web: dict[str, Any], advertised: str | None) -> None:
    """At the address of the pages or the one in the settings; without a token on loopback only."""
    assert advertised == advertised_address(WebSettings.model_validate(web), 6066)


def test_an_address_that_says_nothing_must_be_named() -> None:
    """Nobody else reaches 0.0.0.0."""
    with pytest.raises(ConfigError, match=r"set web\.advertise"):
        advertised_address(WebSettings.model_validate({"host": "0.0.0.0", "token": TOKEN}), 6066)


def test_a_source_that_is_blocked_does_not_unready_a_worker() -> None:
    """Nobody else could read it either; the page says which one, and since when."""
    blocked = {"clicks:1": "2026-03-02T18:50:00.000Z"}
    found = readiness(status(ALL)._replace(blocked=blocked))
    assert (True, blocked) == (found.ready, found.blocked)
