"""The list of formats that a topic may hold: one file per tool reads them.

The version of a reader is recorded with what was read, so that a recomputation reads it in the same way.
"""

from collections.abc import Mapping

from streams.core.ingest.formats.access_log import ACCESS_LOG_FORMAT
from streams.core.ingest.formats.amplitude import AMPLITUDE_FORMAT
from streams.core.ingest.formats.format import Format
from streams.core.ingest.formats.ga4 import GA4_FORMAT
from streams.core.ingest.formats.ga4_mp import GA4_MP_FORMAT
from streams.core.ingest.formats.mapping import MAPPING_FORMAT
from streams.core.ingest.formats.matomo import MATOMO_FORMAT
from streams.core.ingest.formats.mixpanel import MIXPANEL_FORMAT
from streams.core.ingest.formats.posthog import POSTHOG_FORMAT
from streams.core.ingest.formats.segment import SEGMENT_FORMAT
from streams.core.ingest.formats.shopify import SHOPIFY_FORMAT
from streams.core.ingest.formats.snowplow import SNOWPLOW_FORMAT
from streams.core.ingest.formats.xdm import XDM_FORMAT

__all__ = ["FORMATS"]

_ALL = (
    MAPPING_FORMAT,
    SEGMENT_FORMAT, GA4_FORMAT, GA4_MP_FORMAT, SNOWPLOW_FORMAT, SHOPIFY_FORMAT, MATOMO_FORMAT,
    POSTHOG_FORMAT, MIXPANEL_FORMAT, AMPLITUDE_FORMAT, XDM_FORMAT, ACCESS_LOG_FORMAT,
)  # fmt: skip

FORMATS: Mapping[str, Format] = {known.name: known for known in _ALL}
