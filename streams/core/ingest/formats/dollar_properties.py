"""What PostHog and Mixpanel both write about where an event happened, in properties that begin with `$`."""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.formats.members import campaign_of, first_of
from streams.core.ingest.formats.shape import filled, page_of

_LIBRARY_CHANNELS = {
    "web": "web", "js": "web", "posthog-js": "web", "posthog-js-lite": "web",
    "ios": "app", "iphone": "app", "swift": "app", "android": "app", "flutter": "app", "react-native": "app",
    "unity": "app", "posthog-ios": "app", "posthog-android": "app", "posthog-flutter": "app",
    "posthog-react-native": "app",
    "node": "server", "python": "server", "php": "server", "ruby": "server", "java": "server", "go": "server",
    "http": "server", "posthog-node": "server", "posthog-python": "server", "posthog-php": "server",
    "posthog-ruby": "server", "posthog-java": "server", "posthog-go": "server", "posthog-dotnet": "server",
    "posthog-elixir": "server", "posthog-rs": "server", "posthog-server": "server",
}  # fmt: skip
_SYSTEM_DEVICES = {
    "ios": "mobile", "iphone os": "mobile", "android": "mobile", "windows phone": "mobile",
    "ipados": "tablet",
    "windows": "desktop", "mac os x": "desktop", "macos": "desktop", "linux": "desktop",
    "chrome os": "desktop", "chromeos": "desktop",
    "tvos": "tv", "android tv": "tv",
}  # fmt: skip


def channel_of_library(library: Any) -> str | None:
    """Where a library runs: web, app, server; None where its name does not tell."""
    return _LIBRARY_CHANNELS.get(library.lower()) if isinstance(library, str) else None


def device_of_system(system: Any, model: Any) -> str | None:
    """The class of device by its operating system, with its model: an iPad says iOS too."""
    if isinstance(model, str) and model.lower().startswith("ipad"):
        return "tablet"
    return _SYSTEM_DEVICES.get(system.lower()) if isinstance(system, str) else None


def dollar_context(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The context of an event: page, device, system, campaign, library."""
    system = first_of(properties, "$os", "$os_name")
    model = first_of(properties, "$device_model", "$device", "$model")
    found = page_of(
        properties.get("$current_url"),
        properties.get("$referrer"),
        first_of(properties, "$title", "current_page_title"),
    )
    return filled(
        {
            "page": found | filled({"path": first_of(properties, "$pathname", "current_url_path")}),
            "device": filled(
                {
                    "type": properties.get("$device_type") or device_of_system(system, model),
                    "manufacturer": first_of(properties, "$device_manufacturer", "$manufacturer"),
                    "model": model,
                }
            ),
            "os": filled({"name": system, "version": properties.get("$os_version")}),
            "browser": filled(
                {"name": properties.get("$browser"), "version": properties.get("$browser_version")}
            ),
            "userAgent": first_of(properties, "$raw_user_agent", "$user_agent", "$useragent"),
            "locale": first_of(properties, "$locale", "$browser_language"),
            "timezone": properties.get("$timezone"),
            "campaign": campaign_of(properties),
            "location": filled(
                {
                    "country": first_of(properties, "$geoip_country_code", "mp_country_code"),
                    "region": first_of(properties, "$geoip_subdivision_1_name", "$region"),
                    "city": first_of(properties, "$geoip_city_name", "$city"),
                }
            ),
            "library": filled(
                {
                    "name": first_of(properties, "$lib", "mp_lib"),
                    "version": properties.get("$lib_version"),
                }
            ),
            "app": filled({"name": properties.get("$app_name"), "version": properties.get("$app_version")}),
        }
    )
