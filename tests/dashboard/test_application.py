"""What the API answers, and what it refuses."""

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from streams.dashboard.endpoints import ENDPOINTS
from streams.dashboard.guard import COOKIE
from streams.dashboard.openapi import openapi_document
from streams.settings.identity import IdentitySettings
from streams.settings.tables import Settings
from tests.dashboard.asking import TOKEN, AskedDashboard, asked, shown
from tests.queries.written import LATER, SHOP, did, written

DOCUMENT = openapi_document()
BEARER = {"authorization": f"Bearer {TOKEN}"}
ASKABLE = [one.path.replace("{key}", "ann") for one in ENDPOINTS if one.answer and one.method == "get"]


async def shop(**given: Any) -> AskedDashboard:
    return await asked(await shown(SHOP), **given)


def documented(path: str, status: int, method: str = "get") -> Draft202012Validator:
    """What the document says about an answer."""
    (content,) = DOCUMENT["paths"][path][method]["responses"][str(status)]["content"].values()
    return Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})


@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.answer], ids=lambda one: one.path[5:] + one.method
)
async def test_answers_are_what_the_document_says(endpoint: Any) -> None:
    """Each with a shop, and with nothing but a log."""
    for dashboard in (await shop(), await asked(await written(()))):
        if endpoint.method == "post":
            answer = await dashboard.post(endpoint.path, b'{"key": "u:ann"}')
        else:
            answer = await dashboard.get(endpoint.path.replace("{key}", "u:ann"))
        assert answer.status in (200, 404), answer
        documented(endpoint.path, answer.status, endpoint.method).validate(answer.json)


async def test_the_document_is_served() -> None:
    """It names each endpoint, and every reference in it is there."""
    answer = await (await shop()).get("/api/openapi.json")
    assert answer.json == json.loads(json.dumps(DOCUMENT))
    names = set(DOCUMENT["components"]["schemas"])
    text = json.dumps(DOCUMENT)
    assert names >= {piece.partition('"')[0] for piece in text.split("#/components/schemas/")[1:]}
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("address", "parameter", "text"),
    [
        ("/api/overview?range=1y", "range", "write one of 24h, 7d, 28d"),
        ("/api/overview?range=7d&range=7d", "range", "is given twice"),
        ("/api/people?rage=7d", "rage", "did you mean 'range'?"),
        ("/api/by?by=devise", "by", "did you mean 'device'?"),
        ("/api/by?by=x", "by", "there are channel, device"),
        ("/api/moves?where.devise=tv", "where.devise", "did you mean 'device'?"),
        ("/api/moves?where.device=mobil", "where.device", "did you mean 'mobile'?"),
        ("/api/progress?range=7d", "range", "there is no such parameter"),
        ("/api/funnel?last=soon", "last", "write a number and a unit"),
        ("/api/funnel?last=90s", "last", "give whole minutes"),
        ("/api/funnel?last=1h&until=2023-01-01T00:00:00Z", "last", "no longer kept"),
        ("/api/funnel?until=2024-05-01T00:00:00Z", "until", "give its length too"),
        ("/api/funnel?last=1h&until=noon", "until", "write one such as"),
        ("/api/profiles/ann?at=noon", "at", "write one such as"),
        ("/api/profiles/ann?range=7d", "range", "there is no such parameter"),
        (f"/api/profiles/{'x' * 1025}", "key", None),
        ("/api/stream?range=1y", "range", "write one of"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) and value.startswith("/") else "",
)
async def test_a_wrong_parameter_is_named(address: str, parameter: str, text: str | None) -> None:
    """With what would be right."""
    answer = await (await shop()).get(address)
    assert (400, "application/problem+json") == (answer.status, answer.headers["content-type"])
    assert parameter == answer.json["parameter"]
    assert (text or "") in answer.json.get("detail", "")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"key": 1}', b'{"key": "a", "more": 1}', b'{"key": ""}', b"\xff"]
)
async def test_a_wrong_body_is_refused(body: bytes) -> None:
    """It says what a body looks like."""
    answer = await (await shop()).post("/api/profiles", body)
    assert (400, "application/problem+json") == (answer.status, answer.headers["content-type"])


async def test_a_body_has_a_bound() -> None:
    """However much is sent."""
    assert 413 == (await (await shop()).post("/api/profiles", b" " * 10_000)).status


async def test_other_addresses_and_methods_are_problems_too() -> None:
    """As every answer that is none."""
    dashboard = await shop()
    for answer, status in (
        (await dashboard.get("/api/x"), 404),
        (await dashboard.post("/api/people", b""), 405),
    ):
        assert (status, "application/problem+json") == (answer.status, answer.headers["content-type"])


async def test_nothing_is_answered_before_all_was_read() -> None:
    """A figure of half a log would be wrong."""
    dashboard = AskedDashboard(await written(SHOP))
    await dashboard.following.start(Settings().fold)
    for address in ("/api/overview", "/api/funnel", "/api/cohorts", "/readyz"):
        answer = await dashboard.get(address)
        assert (503, "2") == (answer.status, answer.headers["retry-after"]), address
    assert 200 == (await dashboard.get("/livez")).status
    assert 200 == (await (await shop()).get("/readyz")).status


async def test_who_has_an_answer_gets_none() -> None:
    """By its tag; another question has another one."""
    dashboard = await shop()
    first = await dashboard.get("/api/moves")
    again = await dashboard.get("/api/moves", if_none_match=f'"x", W/{first.headers["etag"]}')
    assert (304, b"") == (again.status, again.body)
    other = await dashboard.get("/api/moves?range=7d", if_none_match=first.headers["etag"])
    assert 200 == other.status


async def test_large_answers_are_compressed() -> None:
    """If the one who asks can read it."""
    dashboard = await shop()
    plain = await dashboard.get("/api/overview")
    packed = await dashboard.get("/api/overview", accept_encoding="gzip")
    assert "gzip" == packed.headers["content-encoding"]
    assert plain.body == gzip.decompress(packed.body)
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    "address", ["/", "/login", "/livez", "/metrics", "/static/main.js", "/api/people", "/api/x"]
)
async def test_no_answer_may_load_anything_from_elsewhere(address: str) -> None:
    """Nor run a script that is not a file of ours, nor be shown within another page."""
    answer = await (await shop()).get(address)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "nosniff" == answer.headers["x-content-type-options"]


@pytest.mark.parametrize(
    ("host", "status"), [("localhost", 200), ("[::1]:6067", 200), ("shop.example", 403), ("10.0.0.1", 403)]
)
async def test_another_site_cannot_ask_under_its_own_name(host: str, status: int) -> None:
    """A browser would let a page read this machine's answers if they came under the name of its site."""
    assert status == (await (await shop()).get("/api/people", host=host)).status


async def test_with_a_token_nobody_else_gets_anything() -> None:
    """Neither figures nor persons nor metrics; who asks for the page is sent to sign in."""
    dashboard = await shop(token=TOKEN)
    for address in (*ASKABLE, "/api/stream", "/metrics", "/api/openapi.json"):
        for headers in ({}, {"authorization": "Bearer x"}, {"cookie": f"{COOKIE}={TOKEN}"}):
            answer = await dashboard.get(address, host="shop.example", **headers)
            assert (401, "Bearer") == (answer.status, answer.headers["www-authenticate"]), address
    for address in ASKABLE:
        assert 200 == (await dashboard.get(address, host="shop.example", **BEARER)).status, address
    assert 200 == (await dashboard.get("/livez", host="shop.example")).status
    page = await dashboard.get("/", host="shop.example")
    assert (303, "/login") == (page.status, page.headers["location"])


async def test_a_browser_signs_in_once() -> None:
    """Its cookie is not the token, no script can read it, and it goes nowhere else."""
    dashboard = await shop(token=TOKEN, root_path="/journeys")
    wrong = await dashboard.post("/login", b"token=x")
    assert (401, None) == (wrong.status, wrong.headers.get("set-cookie"))
    right = await dashboard.post("/login", f"token={quote(TOKEN)}".encode())
    assert (303, "/journeys/") == (right.status, right.headers["location"])
    cookie = right.headers["set-cookie"]
    assert TOKEN not in cookie
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/journeys/"))
    assert 200 == (await dashboard.get("/api/people", cookie=cookie.partition(";")[0])).status


async def test_a_story_has_the_evidence_of_each_step() -> None:
    """The rule, its confidence, the event, and where it was read; silence has none."""
    dashboard = await shop()
    (profile,) = (await dashboard.get("/api/profiles/u:ann")).json["profiles"]
    steps = profile["journeys"][-1]["steps"]
    assert [
        ("opened", "look", 0.9, "events:0:0"),
        ("advanced", "cart", 0.9, "events:0:1"),
        ("converted", "pay", 1.0, "events:0:2"),
        ("refunded", "back", 1.0, "events:0:3"),
    ] == [(step["kind"], step["rule"], step["confidence"], step["source"]) for step in steps]
    (dan,) = (await dashboard.get("/api/profiles/dan")).json["profiles"]
    assert [("opened", "events:0:8"), ("stalled", None)] == [
        (step["kind"], step["source"]) for step in dan["journeys"][0]["steps"]
    ]
    assert (True, "buy") == (dan["journeys"][0]["silent"], dan["journeys"][0]["moment"])


async def test_a_story_of_an_earlier_time() -> None:
    """Has what had happened by then."""
    dashboard = await shop()
    answer = await dashboard.get("/api/profiles/ann?at=2024-05-01T00:05:30Z")
    (journey,) = answer.json["profiles"][0]["journeys"]
    assert ("buy", "open", ["opened", "advanced"]) == (
        journey["moment"],
        journey["outcome"],
        [step["kind"] for step in journey["steps"]],
    )
    posted = await dashboard.post("/api/profiles", b'{"key": "ann", "at": "2024-05-01T00:05:30Z"}')
    assert answer.json == posted.json


async def test_of_a_correction_the_evidence_stays() -> None:
    """A step that was computed anew does not carry it any more; its event does not change."""
    records = [
        did("u:ann", "look", 0),
        did("u:ann", "cart", 30),
        did("u:ann", "cart", 10),
        did("u:ann", "look", 20),
    ]
    dashboard = await asked(await shown(records))
    (journey,) = (await dashboard.get("/api/profiles/ann")).json["profiles"][0]["journeys"]
    by_event = {step["event"]: step["source"] for step in journey["steps"]}
    assert {
        "look-0": "events:0:0",
        "cart-600": "events:0:2",
        "look-1200": "events:0:3",
        "cart-1800": "events:0:1",
    } == by_event


async def test_of_what_a_device_gave_the_evidence_is_found_too() -> None:
    """Where the device's own steps have it, from before its user signed in."""
    records = [
        did("d:phone", "look", 0),
        did("d:phone", "cart", 5),
        did("u:ann", "look", 10, anonymousId="phone"),
        did("u:ann", "pay", 12),
    ]
    dashboard = await asked(await shown(records, 2, identity=IdentitySettings(on=True)))
    (profile,) = (await dashboard.get("/api/profiles/u:ann")).json["profiles"]
    (journey,) = profile["journeys"]
    offsets = {step["event"]: step["source"] for step in journey["steps"]}
    assert {"look-0", "cart-300", "look-600", "pay-720"} == offsets.keys()
    log = dashboard.log
    for event, source in offsets.items():
        topic, partition, offset = source.split(":")
        (record,) = await log.read_at(topic, int(partition), [int(offset)])
        assert f'"messageId": "{event}"'.encode() in (record.value or b"")


async def test_who_has_no_journey_is_known_and_who_was_never_there_is_not() -> None:
    """Cat only glanced; nobody is called Zed."""
    dashboard = await asked(await shown(SHOP[:11]))  # later she is forgotten
    (cat,) = (await dashboard.get("/api/profiles/d:cat")).json["profiles"]
    assert ("d:cat", []) == (cat["profile"], cat["journeys"])
    assert 404 == (await dashboard.get("/api/profiles/zed")).status


async def test_for_an_unknown_name_nothing_is_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log may know of many: who gave unsure signals only is found without reading of all others, too."""
    log = await shown(SHOP[:11])
    dashboard = await asked(log)

    def scan(*_: object, **__: object) -> None:
        raise AssertionError("all records of a topic are read")

    monkeypatch.setattr(log, "scan", scan)
    (cat,) = (await dashboard.get("/api/profiles/cat")).json["profiles"]
    assert "d:cat" == cat["profile"]
    assert 404 == (await dashboard.get("/api/profiles/zed")).status


async def test_who_was_forgotten_is_unknown() -> None:
    """Also after their key was in the state: Cat glanced half a year ago."""
    dashboard = await asked(await shown([*SHOP[:11], *LATER]))
    assert 404 == (await dashboard.get("/api/profiles/d:cat")).status


async def test_who_has_no_journey_is_known_in_their_tenant() -> None:
    """The name of one of several tenants' people stands for each of them."""
    records = [did("d:cat", "glance", 12, context={"shop": shop}) for shop in ("north", "south")]
    dashboard = await asked(await shown(records, 2, tenant="context.shop"))
    found = (await dashboard.get("/api/profiles/cat")).json["profiles"]
    assert {("north", "d:cat"), ("south", "d:cat")} == {(one["tenant"], one["profile"]) for one in found}
    assert 404 == (await dashboard.get("/api/profiles/zed")).status


async def test_metrics_name_nobody() -> None:
    """They count, whatever was asked for."""
    dashboard = await shop()
    await dashboard.get("/api/profiles/u:ann")
    await dashboard.get("/api/profiles/zed")
    text = (await dashboard.get("/metrics")).body.decode()
    assert 'streams_dashboard_requests_total{status="404"} 1.0' in text
    assert "streams_dashboard_ready 1.0" in text
    assert "ann" not in text.replace("channel", "")
    assert "zed" not in text


async def test_a_defect_is_named_without_what_it_holds() -> None:
    """Whoever operates it sees where; the person who was asked for is in no log."""
    dashboard = await shop()
    dashboard.model.dimensions["device"] = None  # type: ignore[assignment]  # what nothing can be asked of
    with pytest.raises(TypeError):
        await dashboard.get("/api/overview?where.device=ann")
    (text,) = dashboard.troubles
    assert text.startswith("defect: a request failed by TypeError")
    assert "asked.py" in text
    assert "ann" not in text.replace("channel", "")
