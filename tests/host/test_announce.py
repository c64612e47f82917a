"""Chosen transitions reach a webhook once for each key, also when its receiver fails now and then."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from schemas import Transition
from streams.clock import Clock
from streams.errors import ConfigError
from streams.host import announce
from streams.host.announce import Webhook, is_chosen, is_too_old
from streams.host.application import App
from streams.host.process import Process
from streams.settings.host import AnnounceSettings
from tests.host import hosting

EXAMPLES = json.loads((Path(__file__).parents[2] / "schemas" / "examples" / "transitions.json").read_text())
NOW = datetime(2026, 3, 2, 20, tzinfo=UTC)
PERSON, SECRET = "u:4711", "s3cr3t"


def step(**fields: Any) -> Transition:
    """A step that stalled in buy a moment ago, with other fields where given."""
    stalled = next(example for example in EXAMPLES if example["kind"] == "stalled")
    at = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.convert({**stalled, "at": at, **fields}, Transition)


@pytest.mark.parametrize(
    ("settings", "fields", "expected"),
    [
        ({}, {}, True),
        ({}, {"kind": "converted"}, False),
        ({"kinds": ("converted", "stalled")}, {"kind": "converted"}, True),
        ({"moments": ("buy",)}, {}, True),
        ({"moments": ("buy",)}, {"from": "know"}, False),
        ({"moments": ("buy", "know")}, {"from": "know"}, True),
        ({"kinds": ("opened",)}, {"kind": "opened", "from": None}, True),
        ({"kinds": ("opened",), "moments": ("buy",)}, {"kind": "opened", "from": None}, False),
        ({}, {"op": "retract"}, False),
        ({"corrections": True}, {"op": "retract"}, True),
        ({}, {"moved_from": "d:phone"}, False),
        ({"corrections": True}, {"op": "retract", "moved_from": "u:4711"}, True),
        ({"corrections": True, "moments": ("do",)}, {"op": "retract"}, False),
    ],
)
def test_what_is_chosen(settings: dict[str, Any], fields: dict[str, Any], expected: bool) -> None:
    """The settings choose by kind and by the moment left; retractions only if corrections are wanted, and
    never what is asserted because an old event has moved.
    """
    assert is_chosen(step(**fields), AnnounceSettings(**settings)) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02T19:50:00.000Z", False),
        ("2026-03-01T19:59:59.999Z", True),
        ("2026-03-03T00:00:00.000Z", False),
    ],
)
def test_what_is_too_old(at: str, expected: bool) -> None:
    """A replay of last year's events posts nothing; an event ahead of the clock is not old."""
    assert is_too_old(step(at=at), AnnounceSettings(max_age="1d"), int(NOW.timestamp() * 1000)) is expected


Answer = int | None  # None: it hangs


class Receiver:
    """A webhook that gives these answers, then 200 for ever."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.headers["Idempotency-Key"], await request.json()))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        answer = self.answers.pop(0) if self.answers else 200
        if answer is None:
            await asyncio.sleep(5)
            raise AssertionError("nobody waited that long")
        return web.Response(status=answer, headers={"Location": "/elsewhere"} if answer == 302 else None)


@asynccontextmanager
async def receiving(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[Receiver, Webhook]]:
    receiver = Receiver(answers)
    site = web.Application()
    site.router.add_post(f"/{SECRET}", receiver.take)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/{SECRET}"
        async with Webhook(AnnounceSettings(url=url, **settings), structlog.get_logger(), Clock()) as webhook:
            yield receiver, webhook
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(announce, "LONGEST_RETRY_S", 0.02)


async def test_a_step_is_posted_as_it_is_on_the_wire() -> None:
    """A post is the whole transition under a key of id and rev; other transitions are not posted."""
    posted = step()
    async with receiving() as (receiver, webhook):
        await webhook.take(step(kind="converted"))
        await webhook.take(posted)
    assert receiver.got == [(f"{posted.id}:{posted.rev}", json.loads(msgspec.json.encode(posted)))]
    assert webhook.totals == {"posted": 1}


async def test_a_receiver_that_fails_now_and_then_misses_nothing() -> None:
    """Its errors, missing answers and refusals for now are retried with the same key, and order is kept."""
    steps = [step(id=f"{number:032x}", rev=number + 1) for number in range(4)]
    async with receiving(500, 200, 503, None, 502, 200, 429, 408, timeout="200ms") as (receiver, webhook):
        for one in steps:
            await webhook.take(one)
    expected = [steps[0]] * 2 + [steps[1]] * 4 + [steps[2]] * 3 + [steps[3]]
    assert [key for key, _ in receiver.got] == [f"{one.id}:{one.rev}" for one in expected]
    assert webhook.totals == {"posted": 4}


async def test_what_comes_again_is_not_posted_again() -> None:
    """A record is posted once, and a newer record of the same id is posted again."""
    async with receiving(corrections=True) as (receiver, webhook):
        for one in (step(rev=1), step(rev=1), step(rev=5, op="retract"), step(rev=1), step(rev=6)):
            await webhook.take(one)
    assert [(key.partition(":")[2], body["op"]) for key, body in receiver.got] == [
        ("1", "assert"),
        ("5", "retract"),
        ("6", "assert"),
    ]


@pytest.mark.parametrize("answer", [400, 404, 410, 302])
async def test_a_refusal_is_given_up_at_once(answer: Answer) -> None:
    """The log line has the total, and names neither the person nor the address."""
    with capture_logs() as lines:
        async with receiving(answer, answer) as (receiver, webhook):
            await webhook.take(step(rev=1))
            await webhook.take(step(rev=2))
    assert len(receiver.got) == 2
    assert [(line["event"], line["outcome"], line["total"], line["tries"]) for line in lines] == [
        ("announce", "refused", 1, 1), ("announce", "refused", 2, 1)
    ]  # fmt: skip
    assert PERSON not in str(lines)
    assert SECRET not in str(lines)


async def test_a_receiver_that_is_down_is_given_up_in_time() -> None:
    """A post is given up after its time, and later ones are posted when the receiver is back."""
    with capture_logs() as lines:
        async with receiving(*[500] * 200, retry_for="200ms") as (receiver, webhook):
            await webhook.take(step(rev=1))
            receiver.answers.clear()
            await webhook.take(step(rev=2))
    assert webhook.totals == {"given_up": 1, "posted": 1}
    assert lines[0]["tries"] > 3
    assert (lines[0]["outcome"], lines[0]["reason"]) == ("given_up", "answer 500")


async def test_nobody_listens() -> None:
    """A refused connection counts as no answer, and the log does not show the address."""
    async with receiving() as (_, webhook):
        url = webhook._url
    with capture_logs() as lines:
        async with Webhook(
            AnnounceSettings(url=url, retry_for="50ms"), structlog.get_logger(), Clock()
        ) as webhook:
            await webhook.take(step())
    assert webhook.totals == {"given_up": 1}
    assert SECRET not in str(lines)
    assert "127.0.0.1" not in str(lines)


async def test_headers_of_the_user_are_sent() -> None:
    """Each post has them beside our own; a log line of a refused post does not show them."""
    headers = {"Authorization": f"Bearer {SECRET}", "X_Shop": "1"}
    with capture_logs() as lines:
        async with receiving(200, 401, headers=headers) as (receiver, webhook):
            await webhook.take(step(rev=1))
            await webhook.take(step(rev=2))
    for sent in receiver.headers:
        assert (f"Bearer {SECRET}", "1", "application/json") == (
            sent["authorization"], sent["x-shop"], sent["content-type"]
        )  # fmt: skip
    assert "refused" == lines[0]["outcome"]
    assert SECRET not in str(lines)
    assert SECRET not in repr(webhook.settings)


async def test_a_post_has_the_form_of_the_template() -> None:
    """Fields of the transition are filled in; the key stays."""
    template = '{"text": "$profile stalled in $from, ${dimensions.device}: $$5", "skipped": "$skipped"}'
    async with receiving(template=template) as (receiver, webhook):
        await webhook.take(step(skipped=["go", "do"]))
    ((key, body),) = receiver.got
    assert {
        "text": f"{PERSON} stalled in buy, {step().dimensions['device']}: $5",
        "skipped": "go, do",
    } == body
    assert f"{step().id}:{step().rev}" == key


async def test_a_template_may_name_what_few_steps_have() -> None:
    """An amount is there in purchases and refunds that have one, and empty in all others."""
    settings = {"template": '{"paid": "$value_minor $currency"}', "kinds": ("stalled", "converted")}
    paid = {"id": "b", "kind": "converted", "value_minor": 9000, "currency": "EUR"}
    async with receiving(**settings) as (receiver, webhook):
        await webhook.take(step())
        await webhook.take(step(**paid))
    assert [{"paid": " "}, {"paid": "9000 EUR"}] == [body for _, body in receiver.got]


@pytest.mark.parametrize(
    "value",
    [
        '"}, {"',
        "\\",
        "a\nb",
        "\u2028 ☃ \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "$rev ${rev}",
    ],
)
async def test_no_value_changes_the_form_of_a_post(value: str) -> None:
    """Whatever a person's name or a need holds, it is text in its place."""
    async with receiving(template='{"text": "in $need", "who": "$profile"}') as (receiver, webhook):
        await webhook.take(step(need=value, profile=f"u:{value}", tenant=None))
    assert [{"text": f"in {value}", "who": f"u:{value}"}] == [body for _, body in receiver.got]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ('{"text": "$profil"}', "has no field profil: write one of id, rev, op, tenant, profile, "),
        ('{"text": "$dimensions"}', "has no field dimensions: write one of"),
        ('{"text": "${rules.device}"}', "has no field rules.device: write one of"),
        ('{"text": $dwell_s}', "is no JSON once it is filled in"),
        ('{"text": "$profile}', "is no JSON once it is filled in"),
        ("$profile has stalled", "is no JSON once it is filled in"),
        ('{"text": "5 $ each"}', "has a $ that begins no field: write $name or ${name}, and $$ for a dollar"),
    ],
)
def test_a_template_that_cannot_be_filled_in(template: str, message: str) -> None:
    """It is refused at the start, with what would be right."""
    with pytest.raises(ValueError, match=re.escape(message)):
        AnnounceSettings(template=template)


def test_a_template_with_a_dimension_that_is_not_counted() -> None:
    """It is refused at the start, with the dimensions that there are."""
    settings = hosting.settings(
        announce=AnnounceSettings(url="https://x/", template='{"in": "${opened_dimensions.country}"}')
    )
    with pytest.raises(ConfigError, match="there is no dimension country: there are device, channel"):
        App(Process(settings))


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"a b": "1"}, "'a b' is no name of a header: write letters, digits and -"),
        ({"": "1"}, "'' is no name of a header"),
        ({"Host": "1"}, "host is set by the program: leave it out"),
        ({"IDEMPOTENCY_KEY": "1"}, "idempotency-key is set by the program"),
        ({"x": f"{SECRET}\r\nEvil: 1"}, "the value of x is empty, or is no plain text on one line"),
        ({"x": ""}, "the value of x is empty"),
    ],
)
def test_a_header_that_cannot_be_sent(headers: dict[str, str], message: str) -> None:
    """It is refused at the start, without its value."""
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        AnnounceSettings(headers=headers)
    assert SECRET not in str(refused.value)
