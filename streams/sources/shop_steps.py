"""What visitors of the made-up shop may do, one step after the other, and what its collector spoils."""

from typing import NamedTuple


class FaultShares(NamedTuple):
    """The share of the records that each fault has, 0 to 1."""

    duplicate: float
    delayed: float
    very_late: float
    unreadable: float
    refunded: float


FAULTS = FaultShares(duplicate=0.01, delayed=0.03, very_late=0.001, unreadable=0.0005, refunded=0.0015)

Steps = tuple[tuple[str, float], ...]

# What a visitor may do after each step, with its weight. "" is outside of the shop.
NEXT_STEPS: dict[str, Steps] = {
    "": (("home", 4), ("search", 4), ("list", 3), ("guide", 1.5), ("store", 0.8)),
    "home": (("search", 3), ("list", 4), ("guide", 1), ("", 3)),
    "search": (("list", 5), ("product", 4), ("search", 2), ("", 2)),
    "list": (("product", 6), ("list", 3), ("search", 1), ("", 3)),
    "product": (("product", 4), ("add", 1.6), ("store", 0.7), ("guide", 1), ("list", 2), ("", 4)),
    "store": (("product", 2), ("directions", 1.5), ("", 3)),
    "directions": (("", 5), ("product", 1)),
    "guide": (("video", 2), ("product", 3), ("", 3)),
    "video": (("product", 3), ("add", 0.6), ("", 3)),
    "add": (("cart", 5), ("product", 3), ("", 2)),
    "cart": (("checkout", 6), ("product", 2), ("", 3)),
    "checkout": (("pay", 5), ("cart", 1), ("", 2)),
    "pay": (("order", 6), ("", 1.5)),
    "order": (("", 6), ("list", 1)),
}
# The event of each step: type, name, page.
STEP_EVENTS = {
    "home": ("page", "Home", "/"),
    "search": ("track", "Products Searched", "/search"),
    "list": ("track", "Product List Viewed", "/shoes"),
    "product": ("track", "Product Viewed", "/p/shoe"),
    "store": ("track", "Store Located", "/stores"),
    "directions": ("track", "Directions Requested", "/stores"),
    "guide": ("page", "Choosing shoes", "/how-to/choose-shoes"),
    "video": ("track", "Video Playback Started", "/how-to/choose-shoes"),
    "add": ("track", "Product Added", "/p/shoe"),
    "cart": ("track", "Cart Viewed", "/cart"),
    "sign-in": ("identify", "", "/login"),
    "checkout": ("track", "Checkout Started", "/checkout"),
    "pay": ("track", "Payment Info Entered", "/checkout/pay"),
    "order": ("track", "Order Completed", "/thank-you"),
    "failed": ("track", "Payment Failed", "/checkout/pay"),
}
QUERIES = (
    ("best running shoes", "en-GB"),
    ("shoe shop near me", "en-GB"),
    ("how to clean white sneakers", "en-US"),
    ("buy trail shoes online", "en-US"),
    ("scarpe da corsa economiche", "it-IT"),
    ("negozio di scarpe vicino", "it-IT"),
    ("come scegliere le scarpe giuste", "it-IT"),
    ("zapatillas baratas", "es-ES"),
    ("tienda de zapatillas cerca de mí", "es-ES"),
    ("cómo limpiar zapatillas", "es-ES"),
)
CATEGORIES = ("running", "trail", "city", "hiking")
UNREADABLE_VALUES = (
    b'{"type":"track","event":"Product Vie',
    b'{"type":"dance"}',
    b"\xff\xfe",
    b'{"type":"page","messageId":"x","anonymousId":"y"}',
)
