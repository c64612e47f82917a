"""Reads the lexicons of a rules file: words and phrases by language and by name."""

import re
from collections.abc import Iterable
from math import prod
from typing import Any

from streams.core.moments.lines import Mistake, Spot
from streams.core.moments.phrases import BadPhrase, checked_alternatives, literal_words
from streams.core.moments.spec import FUNCTION_WORDS, PLAIN_WORDS, Lexicon
from streams.core.moments.table_reader import NAME, TableReader
from streams.core.moments.words import fold_text

# Of a file, with all that its lines stand for: some 30 MB. The shipped rules have half of them.
MAX_PHRASES = 100_000


def read_lexicons(kind: str, data: Any) -> Iterable[Lexicon]:
    """The lexicons of a table (`kind`: its name) whose members are languages. Raises ConfigError."""
    languages = TableReader(f"[{kind}]", {} if data is None else data, Spot(key=kind))
    count = 0
    for language in languages.data:
        spot = Spot(table=f"{kind}.{language}")
        if not re.fullmatch(r"[a-z]{2,3}", language):
            wrong = languages.wrong(language, f"must be a language of two or three letters: [{kind}.it]")
            raise Mistake(str(wrong), spot)
        table = TableReader(f"[{kind}.{language}]", languages.take(language), spot)
        for name in table.data:
            if not NAME.fullmatch(name):
                raise table.wrong(name, "its name must be of a-z 0-9 . _ -")
            phrases = () if table.data[name] == [] else table.words(name)
            for phrase in phrases:
                try:
                    count += prod(map(len, checked_alternatives(phrase)))
                except BadPhrase as bad:
                    raise Mistake(
                        f'[{kind}.{language}]: {name} = "{phrase}": {bad}',
                        table.spot._replace(key=name, value=phrase),
                    ) from None
                if count > MAX_PHRASES:
                    raise table.wrong(
                        name, f"with this line the file has more than {MAX_PHRASES} phrases", phrase
                    )
                if name in (FUNCTION_WORDS, PLAIN_WORDS) and literal_words([phrase]) != {fold_text(phrase)}:
                    raise table.wrong(name, f'"{phrase}": is for single words that stand there whole', phrase)
            yield Lexicon(language, name, phrases)
