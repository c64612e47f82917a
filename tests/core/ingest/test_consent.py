"""A person has refused where a tool says an explicit no about measuring; nothing else is a refusal."""

import gzip
import json
from base64 import urlsafe_b64encode
from collections.abc import Collection
from typing import Any

import pytest

from streams.core.ingest.consent import MEASURING, Consent
from streams.core.ingest.event import Event


def tc_string(agreed: Collection[int], interests: Collection[int] = ()) -> str:
    """A TC string of the second version that agrees to these purposes."""
    bits = f"{2:06b}".ljust(152, "0")
    bits += "".join("1" if purpose in agreed else "0" for purpose in range(1, 25))
    bits += "".join("1" if purpose in interests else "0" for purpose in range(1, 25))
    raw = int(bits.ljust(240, "0"), 2).to_bytes(30)
    return urlsafe_b64encode(raw).decode().rstrip("=") + ".YAAAAAAAAAA"


REFUSALS: dict[str, dict[str, Any]] = {
    "Segment": {"consent": {"categoryPreferences": {"Advertising": True, "Analytics": False}}},
    "RudderStack": {
        "consentManagement": {"allowedConsentIds": ["C0001"], "deniedConsentIds": ["analytics", "C0004"]}
    },
    "Google": {"consent": {"ad_storage": "granted", "analytics_storage": "denied"}},
    "GA4 rows": {"consent": {"analytics_storage": "No", "ads_storage": "No", "uses_transient_token": "Yes"}},
    "gcs": {"consent": {"gcs": "G110"}},
    "XDM": {"consent": {"collect": {"val": "n"}, "marketing": {"email": {"val": "y"}}}},
    "XDM, by default": {"consent": {"collect": {"val": "dn"}}},
    "IAB": {
        "consent": {
            "consentStrings": [{"consentStandard": "IAB TCF", "consentStringValue": tc_string(set())}]
        }
    },
    "IAB, no measuring": {"consent": {"tcString": tc_string({1, 2, 3})}},
    "IAB, no storing": {"consent": {"tcString": tc_string({8}, {8})}},
    "Shopify": {"consent": {"analyticsProcessingAllowed": False, "marketingAllowed": True}},
    "OneTrust groups": {"consent": {"OnetrustActiveGroups": ",C0001,C0003,"}},
    "OneTrust answers": {"consent": {"OnetrustActiveGroups": "C0001:1,C0002:0,C0004:0"}},
    "Matomo": {"consent": {"tracking": "0"}},
    "OneTrust groups, beside": {"OnetrustActiveGroups": ",C0001,"},
    "gcs, beside": {"gcs": "G100"},
    "GA4's words, beside": {"privacy_info": {"analytics_storage": "No"}},
    "an answer": {"consent": False},
    "a word": {"consent": "Opt-Out"},
    "a state": {"consent": {"status": "withdrawn"}},
    "Snowplow": {"consent": {"status": "deny_all"}},
}
NO_REFUSALS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "null": {"consent": None},
    "empty": {"consent": {}, "consentManagement": {}},
    "Segment": {"consent": {"categoryPreferences": {"Analytics": True, "Advertising": False}}},
    "advertising alone": {"consent": {"ad_user_data": "DENIED", "ad_personalization": "DENIED"}},
    "RudderStack": {"consentManagement": {"allowedConsentIds": ["analytics"], "deniedConsentIds": ["C0004"]}},
    "GA4 rows": {"consent": {"analytics_storage": "Unset", "ads_storage": "No"}},
    "gcs": {"consent": {"gcs": "G101"}},
    "gcs, not asked": {"consent": {"gcs": "G1--"}},
    "XDM": {"consent": {"collect": {"val": "p"}}},
    "IAB": {"consent": {"tcString": tc_string({1, 8})}},
    "IAB, of a legitimate interest": {"consent": {"tcString": tc_string({1}, {8})}},
    "IAB, elsewhere": {
        "consent": {"consentStrings": [{"gdprApplies": False, "consentStringValue": tc_string(set())}]}
    },
    "IAB, elsewhere, as text": {"consent": {"gdprApplies": "false", "tcString": tc_string(set())}},
    "IAB, cut": {"consent": {"tcString": tc_string(set())[:20]}},
    "OneTrust": {"consent": {"OnetrustActiveGroups": ",C0001,C0002,"}},
    "another tool's": {"consent": {"newsletter": False, "terms": "no"}},
    "pending": {"consent": {"status": "pending"}},
    "deep": {"consent": {"purposes": {"purposes": {"purposes": {"purposes": {"purposes": False}}}}}},
    "of other types": {"consent": {"analytics": [0, "no"], "categoryPreferences": 0}},
}


def event(context: dict[str, Any], **properties: Any) -> Event:
    return Event("e", 0, 0, "d", None, "track", "", properties, context)


@pytest.mark.parametrize("context", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal(context: dict[str, Any]) -> None:
    """Each tool's way of an explicit no about measuring refuses."""
    assert Consent(MEASURING, ()).is_refused(event(context))


@pytest.mark.parametrize("context", NO_REFUSALS.values(), ids=NO_REFUSALS)
def test_no_refusal(context: dict[str, Any]) -> None:
    """Neither an agreement, nor a missing answer, nor a no to something else refuses."""
    assert not Consent(MEASURING, ()).is_refused(event(context))


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        (False, True), (0, True), ("No", True), ({"analytics": "denied"}, True), ("C0001:1,C0002:0", True),
        (True, False), (1, False), ("yes", False), ("", False), (None, False), ("granted", False),
    ],
)  # fmt: skip
def test_a_place_of_ones_own(value: Any, refused: bool) -> None:
    """The setting names paths; whatever form of an answer stands there is read."""
    consent = Consent(MEASURING, ("properties.tracking.ok", "context.gdpr"))
    assert refused is consent.is_refused(event({}, tracking={"ok": value}))
    assert refused is consent.is_refused(event({"gdpr": value}))
    assert not Consent(MEASURING, ()).is_refused(event({"gdpr": value}, tracking={"ok": value}))


def test_categories_of_ones_own() -> None:
    """They take the place of the shipped ones, and none at all means that no category has to be agreed to."""
    marketing, analytics = (
        {"consent": {"categoryPreferences": {name: False}}} for name in ("Ads", "Analytics")
    )
    own = Consent(("ads",), ())
    assert [True, False] == [own.is_refused(event(each)) for each in (marketing, analytics)]
    assert not Consent((), ()).is_refused(event(analytics))


@pytest.mark.parametrize(
    ("categories", "groups", "refused"),
    [
        ((), ",C0001,", False), ((), "C0001:1,C0002:0", False), (("ads",), ",C0001,", False),
        (("statistics", "c0003"), ",C0001,C0002,", True), (("statistics", "c0003"), ",C0003,", False),
        (("STACK42",), ",C0001,C0002,", True), (("STACK42",), ",C0001,STACK42,", False),
        (("C0002", "C0004"), ",C0001,C0002,", True), (("C0002", "C0004"), "C0002:1,C0004:1", False),
    ],
)  # fmt: skip
def test_groups_of_onetrust(categories: tuple[str, ...], groups: str, refused: bool) -> None:
    """Those have to be agreed to that the categories name by their codes. Where they name none, none has."""
    found = event({"consent": {"OnetrustActiveGroups": groups}})
    assert refused is Consent(categories, ()).is_refused(found)


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        (b'{"context":{"consent":{"categoryPreferences":{"Analytics" : false}}},', True),
        (b'{"consentManagement": {"deniedConsentIds": ["C0004", "C0002"], ', True),
        (b'{"consents": {"collect": {"val": "n"}}', True),
        (b'{"analytics_storage":"DENIED"', True),
        (b'{"analytics_storage":"granted"', False),
        (b'{"properties": {"analytics": 7, "note": "no"}', False),
        (b"\xff", False),
    ],
)
def test_bytes_that_cannot_be_read(value: bytes, refused: bool) -> None:
    """The usual spellings are found in what is cut off or no JSON."""
    assert refused is Consent(MEASURING, ()).is_refused_in(value)


REFUSAL = b'{"consent":{"categoryPreferences":{"Analytics":false}}}'


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        (REFUSAL, True),
        (b'[{"a":[{"context":' + REFUSAL + b"}]}]", True),
        (b'{"context":' + json.dumps(REFUSAL.decode()).encode() + b"}", True),
        (json.dumps(REFUSAL.decode()).encode(), True),
        (gzip.compress(REFUSAL, mtime=0), True),
        (gzip.compress(REFUSAL[:-2], mtime=0), True),
        (gzip.compress(REFUSAL, mtime=0)[:-9], False),
        (REFUSAL[:-2].decode().encode("utf-16"), True),
        (b'{"properties":{"collect":false,"tracking":"0","performance":0}}', False),
        (b'{"properties":{"collect":false,"tracking":"0"}', True),
    ],
)
def test_a_record_that_cannot_be_read(value: bytes, refused: bool) -> None:
    """A refusal is found wherever it stands in JSON, compressed or in another encoding; a property that is
    only called like a category is none. In what is cut off, that is not told apart.
    """
    assert refused is Consent(MEASURING, ()).is_refused_in(value)


def test_places_of_ones_own_in_a_record_that_cannot_be_read() -> None:
    """They are looked for in each object that may be a call."""
    consent = Consent(MEASURING, ("properties.ok", "context.gdpr"))
    for place in (b'{"properties":{"ok":"no"}}', b'{"context":{"gdpr":0}}'):
        assert consent.is_refused_in(b'{"batch":[{"type":7},' + place + b"]}")
        assert not Consent(MEASURING, ()).is_refused_in(b"[" + place + b"]")


def test_a_document_that_is_no_event() -> None:
    """It is looked at where calls have their consent, and by the paths of the settings."""
    refusal = {"categoryPreferences": {"analytics": False}}
    consent = Consent(MEASURING, ("properties.ok",))
    assert consent.is_refused_in({"context": {"consent": refusal}})
    assert consent.is_refused_in({"consent": refusal})
    assert consent.is_refused_in({"properties": {"ok": False}})
    others: tuple[Any, ...] = ({"a": 1}, {"context": 7, "properties": 8}, [], "no")
    assert not any(consent.is_refused_in(each) for each in others)
