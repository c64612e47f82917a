"""What Google Analytics 4 says about an event, wherever it is written: names, parameters and items."""

from collections.abc import Mapping
from typing import Any

from streams.core.ingest.formats.members import first_of, whole
from streams.core.ingest.formats.shape import filled, objects, page_of, with_only_product

NOT_SET = "(not set)"  # what the tool writes for nothing

_TYPES = {"page_view": "page", "screen_view": "screen"}
_TV = ("smart tv", "connected tv")


def type_of(name: Any) -> str:
    """The type of call that an event of this name is."""
    return _TYPES.get(name, "track") if isinstance(name, str) else "track"


def shaped_properties(
    name: Any, params: Mapping[str, Any], items: Any, ecommerce: Mapping[str, Any]
) -> dict[str, Any]:
    """The event's own parameters, and beside them what rules read under other names."""
    order_id, value = unless_not_set(params.get("transaction_id")), first_of(params, "value")
    refunded = first_of(ecommerce, "refund_value")
    if name == "refund" and refunded is None:
        refunded = value
    return with_only_product(
        {
            **params,
            **filled(
                {
                    "order_id": order_id or unless_not_set(ecommerce.get("transaction_id")),
                    "value": first_of(ecommerce, "purchase_revenue") if value is None else value,
                    "refunded_amount": refunded,
                    "query": params.get("search_term"),
                    "products": _products(items),
                    "screen_name": first_of(
                        params, "screen_name", "firebase_screen", "firebase_screen_class"
                    ),
                }
            ),
        }
    )


def page_context(params: Mapping[str, Any]) -> dict[str, Any]:
    """The page that an event happened on."""
    found = page_of(params.get("page_location"), params.get("page_referrer"), params.get("page_title"))
    return found | filled({"path": params.get("page_path")})


def device_class(category: Any) -> Any:
    """The class of a device: mobile, tablet, desktop, tv."""
    return "tv" if isinstance(category, str) and category.lower() in _TV else category


def unless_not_set(value: Any) -> Any:
    """The value; None if it is the word for nothing."""
    return None if isinstance(value, str) and value.strip().lower() == NOT_SET else value


def _products(items: Any) -> list[Any]:
    return [_product(item) for item in objects(items)]


def _product(item: Mapping[str, Any]) -> dict[str, Any]:
    own = {key: kept for key, value in item.items() if (kept := unless_not_set(value)) is not None}
    quantity = whole(own.get("quantity"))
    return {
        **own,
        **filled(
            {
                "product_id": first_of(own, "item_id", "id"),
                "name": first_of(own, "item_name", "name"),
                "category": first_of(own, "item_category", "category"),
                "brand": first_of(own, "item_brand", "brand"),
                "variant": first_of(own, "item_variant", "variant"),
                "quantity": own.get("quantity") if quantity is None else quantity,
            }
        ),
    }
