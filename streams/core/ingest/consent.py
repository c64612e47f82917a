"""Reads whether a person has refused that what they do is measured, wherever a tool says it.

Readers put what their tool says into `context.consent`. Here it is read in whatever form: an answer, answers
by category, lists of categories, or a code of Google, OneTrust or the IAB. Only an explicit no refuses: a
question that nobody has answered yet is no refusal.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from streams.core.ingest.draft import Draft
from streams.core.ingest.event import Event, lookup
from streams.core.ingest.json_text import Decoded, json_in
from streams.core.ingest.record_bytes import read_bytes, uncoated

MEASURING = (
    "analytics", "analytics_storage", "analyticsProcessingAllowed", "performance", "statistics",
    "measurement", "tracking", "collect", "C0002",
)  # fmt: skip
"""The categories of consent that are about measuring what people do, as the tools call them."""

MAX_CONSENT_CHARS = 8192  # of a text that are looked at; consent strings have a few hundred
MAX_CONSENT_DEPTH = 4  # of objects within each other: XDM has three
MAX_CONSENT_MEMBERS = 256  # of an object or a list that are looked at; a shop has some ten categories

_NO = frozenset({
    "no", "n", "dn", "false", "0", "denied", "deny", "refused", "rejected", "declined", "disagreed",
    "withdrawn", "revoked", "optout", "optedout", "denyall", "rejectall", "notgranted", "disallowed", "off",
})  # fmt: skip
"""Answers that refuse, without case and punctuation. `dn` is XDM's: no, unless the person has answered."""
_ANSWERS = ("val", "value", "status", "state", "granted", "consent", "allowed")  # where an object has its own
_WHOLE = ("val", "status", "state", "granted")  # where the answer is about everything
_BY_CATEGORY = ("categoryPreferences", "categories", "preferences", "purposes", "consents")
_DENIED_LISTS = ("deniedConsentIds", "deniedCategories", "denied", "rejected")
_STRINGS = (
    "consentStringValue",
    "tcString",
    "TCString",
    "tcf",
    "gcs",
    "OnetrustActiveGroups",
    "consentStrings",
)
# Where a context has what a consent tool says: the place of the readers first, then those of tools.
_PLACES = ("consent", "consentManagement", "consents", "customerPrivacy", "privacy_info", *_STRINGS)
_PLACE_KEYS = frozenset(_PLACES)
_NO_WORD = re.compile(r"[\W_]+")
_GCS = re.compile(r"G1[01-]([01-])")  # of Google's consent mode: advertising, then analytics
# Of OneTrust: `C0001:1,C0002:0`, or `,C0001,` with those alone that are agreed to.
_GROUPS = re.compile(r"(?:^|,)(C\d{4}|[A-Z]{3,5}\d*)(?::([01]))?(?=,|$)")
_GROUP = re.compile(r"c\d{4}|[a-z]{3,5}\d+")  # the code of one, folded
_TC_STRING = re.compile(r"C[A-Za-z0-9_-]{30,}(?:\.[A-Za-z0-9_.-]*)?")  # of the second version
# Of the core of a TC string, in bits: where the purposes that are agreed to begin, and those that the
# person was shown as a legitimate interest. Storing on a device is purpose 1, measuring content is 8.
_PURPOSES, _INTERESTS, _PURPOSE_BITS = 152, 176, 24
_STORING, _MEASURING_CONTENT = 1, 8


class Consent:
    """Reads the consents of events, by some categories and some paths."""

    def __init__(self, categories: Sequence[str], fields: Sequence[str]) -> None:
        """`fields`: paths of consents, beside those of the tools."""
        self._categories = frozenset(map(_folded, categories))
        self._groups = frozenset(filter(_GROUP.fullmatch, self._categories))
        self._fields = tuple(fields)
        self._in_bytes = _refusal_in_bytes([*categories])

    def is_refused(self, event: Event) -> bool:
        """True if the event says that its person refuses to be measured."""
        return self.is_refused_by(event.context) or any(
            self._refuses(lookup(event, path)) for path in self._fields
        )

    def is_refused_by(self, context: Mapping[str, Any]) -> bool:
        """True if the context of an event says so, whatever the settings name beside it."""
        return any(self._refuses(context[key]) for key in _PLACES if key in context)

    def is_refused_in(self, source: Any) -> bool:
        """True if what could not be read says it: bytes, a document, or the draft that was made of it.

        In bytes that are no document, only the usual ways of writing a refusal as JSON are found.
        """
        if isinstance(source, Draft):
            return self.is_refused(_event_with(source.properties.value, source.context.value))
        if not isinstance(source, bytes):
            return self._is_refused_within(source)
        found, plain = read_bytes(source), uncoated(source)
        document = found.document if isinstance(found, Decoded) else ""
        if not isinstance(document, str):
            return self._is_refused_within(document)
        text = plain if isinstance(plain, bytes) else source
        return self._is_refused_within(document) or self._in_bytes.search(text) is not None

    def _is_refused_within(self, document: Any) -> bool:
        """True if a document says it, wherever in it: what could not be read may stand in other things."""
        left = [document]
        while left:
            found = left.pop()
            if isinstance(found, dict):
                if self._is_refused_at(found):
                    return True
                left += found.values()
            elif isinstance(found, list):
                left += found
            elif isinstance(found, str) and (inner := json_in(found)) is not None:
                left.append(inner.document)
        return False

    def _is_refused_at(self, found: Mapping[str, Any]) -> bool:
        """True if an object that may be a call or a context says it, whatever is in its members."""
        if not _PLACE_KEYS.isdisjoint(found) and self.is_refused_by(found):
            return True
        if not self._fields or ("properties" not in found and "context" not in found):
            return False
        return self.is_refused(_event_with(found.get("properties"), found.get("context")))

    def _refuses(self, answer: Any, depth: int = 0) -> bool:
        if answer is None or depth > MAX_CONSENT_DEPTH:
            return False
        if isinstance(answer, bool | int | float):
            return not answer
        if isinstance(answer, str):
            return self._refuses_in_text(answer[:MAX_CONSENT_CHARS])
        if isinstance(answer, list):
            several = [one for one in answer[:MAX_CONSENT_MEMBERS] if isinstance(one, dict)]
            return any(self._refuses(one, depth + 1) for one in several)
        return isinstance(answer, dict) and self._refuses_in_object(answer, depth)

    def _refuses_in_text(self, text: str) -> bool:
        plain = text.strip()
        if _folded(plain) in _NO:
            return True
        if (code := _GCS.fullmatch(plain)) is not None:
            return code[1] == "0"
        groups = _GROUPS.findall(plain) if plain[:1] in ("C", ",") else []
        if any(name.startswith("C0") for name, _ in groups):
            granted = {_folded(name) for name, answer in groups if answer != "0"}
            return not self._groups <= granted
        return _TC_STRING.fullmatch(plain) is not None and _is_refused_tc(plain)

    def _refuses_in_object(self, answer: Mapping[str, Any], depth: int) -> bool:
        if answer.get("gdprApplies") in (False, "false", "0"):
            return False
        members = list(answer.items())[:MAX_CONSENT_MEMBERS]
        return any(self._refuses_in_member(key, value, depth + 1) for key, value in members)

    def _refuses_in_member(self, key: str, value: Any, depth: int) -> bool:
        if key in _DENIED_LISTS:
            named = value if isinstance(value, list) else ()
            return any(_folded(one) in self._categories for one in named if isinstance(one, str))
        if key in _BY_CATEGORY or key in _STRINGS:
            return isinstance(value, dict | list | str) and self._refuses(value, depth)
        is_answer = (key in _WHOLE and not isinstance(value, dict)) or _folded(key) in self._categories
        return is_answer and self._refuses(_answer(value), depth)


def _refusal_in_bytes(categories: Sequence[str]) -> re.Pattern[bytes]:
    """Finds a refusal of one of these categories in JSON, whole or cut: as an answer, or in a list."""
    if not categories:
        return re.compile(rb"(?!)")
    named = "|".join(map(re.escape, categories))
    answered = rf'"(?:{named})"\s*:\s*(?:{{\s*"\w+"\s*:\s*)?(?:false|0|"(?:{"|".join(sorted(_NO))})")'
    listed = rf'"(?:{"|".join(_DENIED_LISTS)})"\s*:\s*\[[^\]]{{0,999}}"(?:{named})"'
    return re.compile(f"{answered}|{listed}".encode(), re.IGNORECASE)


def _event_with(properties: Any, context: Any) -> Event:
    """An event of which nothing else is known."""
    return Event(
        id="",
        at_ms=0,
        utc_offset_quarters=0,
        anonymous_id=None,
        user_id=None,
        type="track",
        name="",
        properties=properties if isinstance(properties, dict) else {},
        context=context if isinstance(context, dict) else {},
    )


def _answer(value: Any) -> Any:
    """The answer about a category, which may stand in an object of its own: `{"val": "n"}`."""
    if isinstance(value, dict):
        return next((value[key] for key in _ANSWERS if key in value), None)
    return value


def _folded(word: str) -> str:
    return _NO_WORD.sub("", word).lower()


def _is_refused_tc(text: str) -> bool:
    """True if a TC string of the IAB does not agree to storing on the device, or to measuring content."""
    core = text.partition(".")[0]
    try:
        raw = urlsafe_b64decode(core + "=" * (-len(core) % 4))
    except ValueError:
        return False
    bits = f"{int.from_bytes(raw):0{len(raw) * 8}b}"
    agreed, shown = bits[_PURPOSES:_INTERESTS], bits[_INTERESTS : _INTERESTS + _PURPOSE_BITS]
    if len(shown) < _PURPOSE_BITS:
        return False
    measures = "1" in (agreed[_MEASURING_CONTENT - 1], shown[_MEASURING_CONTENT - 1])
    return agreed[_STORING - 1] == "0" or not measures
