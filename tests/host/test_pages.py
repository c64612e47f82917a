"""Health and metrics: what they say, and that there is nothing else."""

import time
from typing import Any

import aiohttp
import pytest

from streams.errors import ConfigError
from streams.host import pages
from streams.host.pages import readiness
from streams.host.serve import _live
from streams.settings.host import WebSettings
from tests.host.hosting import Says, app, running

ALL = frozenset({0, 1, 2})


@pytest.mark.parametrize(
    ("status", "ready", "missing"),
    [
        (Says(joined=False, assigned=frozenset(), opened=frozenset()), False, {}),
        (Says(True, ALL, ALL), True, {}),
        (
            Says(True, frozenset(), frozenset()),
            True,
            {},
        ),  # more workers than partitions: it is ready to take over
        (Says(True, ALL, frozenset({0, 2})), False, {"1": "opening"}),
        (
            Says(True, ALL, frozenset({0}), {2: (10, 400)}),
            False,
            {"1": "opening", "2": "restoring, 10 of 400 records"},
        ),
        (Says(False, ALL, ALL), False, {}),  # the group gives the partitions out anew
        (Says(True, frozenset({0}), ALL), True, {}),  # what is still open is being given back
    ],
)
def test_readiness(status: Says, ready: bool, missing: dict[str, str]) -> None:
    """Ready: a member of the group that works on all that it was given."""
    said = readiness(status)
    assert (said["ready"], said["missing"]) == (ready, missing)
    assert said["open"] <= said["assigned"] == len(status.assigned)


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_the_pages() -> None:
    """They are there, of the right type, on loopback; and /readyz follows the worker."""
    async with running(app()) as (worker, url):
        assert url.startswith("http://127.0.0.1:")
        assert await get(f"{url}/livez") == (200, "text/plain", "ok\n")
        assert await get(f"{url}/readyz") == (
            200,
            "application/json",
            '{"ready":true,"joined":true,"assigned":2,"open":2,"missing":{}}',
        )
        worker.says = Says(opened=frozenset({1}))
        assert (await get(f"{url}/readyz"))[0] == 503
        status, type_, text = await get(f"{url}/metrics")
        assert (status, type_) == (200, "text/plain")
        assert "streams_open_agents 0.0" in text


@pytest.mark.parametrize(
    "path", ["/", "/table/", "/router/", "/graph/", "/performance/metrics", "/stats/", "/nothing"]
)
async def test_no_page_of_fausts_is_served(path: str) -> None:
    """Some of them show the contents of tables."""
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
    """Its sign of life is never older than the time between two of them and some."""
    made = app()
    async with running(made):
        assert time.monotonic() - made.journeys.beat_s < 5


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ({"port": None}, "is taken on 127.0.0.1"),
        ({"host": "192.0.2.1", "port": 0}, "web.host = 192.0.2.1, web.port = 0: cannot be"),
    ],
)
async def test_an_address_that_cannot_be_had(web: dict[str, Any], said: str) -> None:
    """Ends the worker, with the setting that is to be changed."""
    async with running(app()) as (_, url):
        taken = int(url.rpartition(":")[2])
        made = app(web=WebSettings(**{**web, "port": taken if web["port"] is None else web["port"]}))
        assert await _live(made)
    assert isinstance(made.failure, ConfigError)
    assert said in str(made.failure)
