"""What it costs to read a search: `python -m benchmarks.moments`.

Searches of a made-up shop in three languages, no two of them alike: what people want to buy, by kind and size
and make, with and without a word that says what for. So a search is new to the caches of searches, while its
words have been seen before. One word in twelve has a typo. Figures are processor time; load and memory are
those of the shipped rules.
"""

import argparse
import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from random import Random
from time import process_time
from typing import NamedTuple

from benchmarks.stages import quiet_collector
from streams.core.moments.classifier import MAX_KNOWN_EVIDENCE, Classifier
from streams.core.moments.query import QueryMatcher
from streams.core.moments.rules import Rules, default_rules
from streams.core.moments.words import tokens
from streams.runtime.collector import GC_THRESHOLD

COLD_US, CACHED_US, LOAD_S = 10.0, 1.0, 0.3  # the goals
COUNT = 20_000
TYPO_EVERY = 12  # words

PATTERNS = {
    "en": "{} {}|{} {} {}|buy {} {}|{} {} near me|cheap {} {}|best {} for {}|how to clean {} {}|"
    "{} {} size {}|{} vs {}|what is the price of {} {}|{} {} shop opening hours|{} {} {}gb",
    "it": "{} {}|{} {} {}|comprare {} {}|{} {} vicino a me|{} {} in offerta|migliore {} per {}|"
    "come si pulisce {} {}|{} {} taglia {}|meglio {} o {}|quanto costa {} {}|orari negozio {} {}|{} {} {}gb",
    "es": "{} {}|{} {} {}|comprar {} {}|{} {} cerca de mi|{} {} en oferta|mejor {} para {}|"
    "como limpiar {} {}|{} {} talla {}|{} o {}|cuanto cuesta {} {}|horario tienda {} {}|{} {} {}gb",
}
THINGS = {
    "en": [
        "sofa",
        "lamp",
        "running",
        "shoes",
        "washing",
        "machine",
        "phone",
        "laptop",
        "mattress",
        "drill",
        "bicycle",
        "tent",
        "jacket",
        "dress",
        "oven",
        "headphones",
        "camera",
        "printer",
        "backpack",
        "kettle",
        "vacuum",
        "cleaner",
        "mirror",
        "desk",
    ],
    "it": [
        "divano",
        "lampada",
        "scarpe",
        "lavatrice",
        "telefono",
        "portatile",
        "materasso",
        "trapano",
        "bicicletta",
        "tenda",
        "giacca",
        "vestito",
        "forno",
        "cuffie",
        "fotocamera",
        "stampante",
        "zaino",
        "bollitore",
        "aspirapolvere",
        "specchio",
        "scrivania",
    ],
    "es": [
        "sofa",
        "lampara",
        "zapatos",
        "lavadora",
        "telefono",
        "portatil",
        "colchon",
        "taladro",
        "bicicleta",
        "tienda",
        "chaqueta",
        "vestido",
        "horno",
        "auriculares",
        "camara",
        "impresora",
        "mochila",
        "hervidor",
        "aspiradora",
        "espejo",
        "escritorio",
    ],
}
MAKES = [
    "acme",
    "nordia",
    "belvista",
    "rotex",
    "lumina",
    "pirano",
    "solaris",
    "kestrel",
    "monteverde",
    "altair",
    "7",
    "24",
    "42",
    "128",
    "256",
    "55",
]


def searches(seed: int = 1) -> Iterator[tuple[str, str]]:
    """Different searches with their languages, without an end, the same for the same seed."""
    rnd, seen, words = Random(seed), set[str](), 0
    while True:
        language = rnd.choice(tuple(PATTERNS))
        pattern = rnd.choice(PATTERNS[language].split("|"))
        chosen = (
            rnd.choice(THINGS[language] if rnd.random() < 0.6 else MAKES) for _ in range(pattern.count("{}"))
        )
        typed = pattern.format(*chosen).split()
        for n, word in enumerate(typed):
            words += 1
            if words % TYPO_EVERY == 0 and len(word) > 4:
                at = rnd.randrange(len(word) - 1)
                typed[n] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        text = " ".join(typed)
        if text not in seen:
            seen.add(text)
            yield text, language


def us_each(work: Callable[[str, str], object], given: Sequence[tuple[str, str]]) -> float:
    """Processor time of `work` for one search, in us."""
    begun_s = process_time()
    for text, language in given:
        work(text, language)
    return 1e6 * (process_time() - begun_s) / len(given)


def matcher_of(rules: Rules) -> QueryMatcher:
    """A matcher that has read nothing."""
    return QueryMatcher(rules.content.queries, rules.content.languages, rules.content.read.polite)


class Speed(NamedTuple):
    """Figures of one run."""

    cold_us: float  # a new search, without mending
    cold_mended_us: float  # a new search, with mending where it is silent
    cached_us: float
    silent: float  # the share that no rule reads as it stands
    mended: float  # the share that is read once its typos are mended


def speed(rules: Rules, count: int) -> Speed:
    """Reads `count` searches that are new, behind as many others from which the words are known."""
    matcher, given = matcher_of(rules), list(islice(searches(), 2 * count))
    before, new = given[:count], given[count:]
    us_each(matcher.reading, before)
    readings = [matcher.reading(*each) for each in new[: count // 4]]
    silent = sum(
        reading is not None and (not reading.language or bool(reading.mended)) for reading in readings
    )
    mended = sum(reading is not None and bool(reading.mended) for reading in readings)

    def as_it_stands(text: str, language: str) -> object:
        return matcher.read(tokens(text), language)

    cold = us_each(as_it_stands, new[: count // 2])
    cold_mended = us_each(matcher.reading, new[count // 2 :])
    cached = lru_cache(MAX_KNOWN_EVIDENCE)(matcher.find)
    few = new[: min(count, MAX_KNOWN_EVIDENCE)]
    us_each(cached, few)
    return Speed(cold, cold_mended, us_each(cached, few), silent / len(readings), mended / len(readings))


class Memory(NamedTuple):
    """Bytes, counted by tracemalloc."""

    rules: int
    classifier: int
    after_searches: int  # more, when it has read them: words, outcomes, the table of typos


def memory(count: int) -> Memory:
    """What the shipped rules take, and what reading searches adds."""
    given = list(islice(searches(), count))
    sizes = []
    tracemalloc.start()
    rules = default_rules()
    sizes.append(_traced())
    classifier = Classifier(rules)
    sizes.append(_traced())
    find = classifier.find_query
    us_each(find, given)
    sizes.append(_traced())
    tracemalloc.stop()
    return Memory(sizes[0], sizes[1] - sizes[0], sizes[2] - sizes[1])


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.moments", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=COUNT)
    parser.add_argument("--runs", type=int, default=3, help="of which the least counts")
    given = parser.parse_args(arguments)
    load_s = []
    with quiet_collector(GC_THRESHOLD):
        for _ in range(given.runs):
            begun_s = process_time()
            Classifier(rules := default_rules())
            load_s.append(process_time() - begun_s)
        runs = [speed(rules, given.searches) for _ in range(given.runs)]
    best = Speed(*(min(figures) for figures in zip(*runs, strict=True)))
    print(f"{given.searches:,} searches, {len(rules.content.queries)} query rules, three languages")
    print(f"{'':32}{'measured':>10}{'goal':>8}")
    for what, figure, goal in (
        ("new search, us", best.cold_us, f"{COLD_US:g}"),
        ("new search with mending, us", best.cold_mended_us, ""),
        ("search that is remembered, us", best.cached_us, f"{CACHED_US:g}"),
        ("loading and compiling, s", min(load_s), f"{LOAD_S:g}"),
    ):
        print(f"{what:32}{figure:10.2f}{goal:>8}")
    print(f"silent as they stand: {best.silent:.0%}, of all read once mended: {best.mended:.0%}")
    sizes = memory(given.searches)
    print(
        f"memory: rules {sizes.rules / 1e6:.1f} MB, compiled {sizes.classifier / 1e6:.1f} MB, "
        f"after {given.searches:,} searches {sizes.after_searches / 1e6:.1f} MB more"
    )


if __name__ == "__main__":
    main()
