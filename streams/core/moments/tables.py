"""Makes the tables of docs/rules.md from the rules. A test compares them, so the page cannot go stale."""

from streams.core.moments import spec
from streams.core.moments.rules import Rules


def event_table(rules: Rules) -> str:
    """Markdown: every event name that the rules know, with its moment."""
    lines = ["| moment | confidence | rule | names |", "|---|---|---|---|"]
    for rule in rules.content.events:
        notes = [f"yields to {' and '.join(rule.yields_to)}"] if rule.yields_to else []
        if rule.where is not None:
            notes.append(f"where {_condition(rule.where)}")
        if rule.names and rule.types != spec.NAMED_TYPES:
            notes.append(f"{', '.join(rule.types)} only")
        notes += ["an update"] if rule.update else []
        names = ", ".join(f"`{name}`" for name in rule.names) or f"all of type {', '.join(rule.types)}"
        noted = "".join(f"; *{note}*" for note in notes)
        lines.append(f"| {rule.moment} | {_confidence(rule)} | {rule.name} | {names}{noted} |")
    return "\n".join(lines) + "\n"


def grammar_table(rules: Rules) -> str:
    """Markdown: every grammar rule in order, with its clauses."""
    lines = ["| moment | confidence | rule | clauses |", "|---|---|---|---|"]
    for rule in rules.content.grammar:
        notes = [f"yields to {' and '.join(rule.yields_to)}"] if rule.yields_to else []
        notes += ["only with an order"] if rule.order else []
        clauses = ", ".join(f"`{clause}`" for clause in rule.any)
        noted = "".join(f"; *{note}*" for note in notes)
        lines.append(f"| {rule.moment} | {_confidence(rule)} | {rule.name} | {clauses}{noted} |")
    return "\n".join(lines) + "\n"


def page_table(rules: Rules) -> str:
    """Markdown: every path pattern, with its moment."""
    lines = ["| moment | confidence | rule | paths, or clauses over their words |", "|---|---|---|---|"]
    for rule in rules.content.pages:
        notes = [f"where {_condition(rule.where)}"] if rule.where is not None else []
        notes += ["only where the page is seen"] if rule.views_only else []
        notes += ["only where no other rule reads the page"] if rule.otherwise else []
        noted = "".join(f"; *{note}*" for note in notes)
        # A bar would end the table's cell.
        reads = [f"`{path}`".replace("|", "\\|") for path in rule.paths]
        reads += [f"words: `{clause}`" for clause in rule.any]
        lines.append(f"| {rule.moment} | {_confidence(rule)} | {rule.name} | {' '.join(reads)}{noted} |")
    return "\n".join(lines) + "\n"


def query_table(rules: Rules) -> str:
    """Markdown: every query rule in order, with its clauses."""
    lines = ["| moment | confidence | rule | clauses |", "|---|---|---|---|"]
    for rule in rules.content.queries:
        clauses = ", ".join(f"`{clause}`" for clause in rule.any) or "anything else"
        lines.append(f"| {rule.moment} | {_confidence(rule)} | {rule.name} | {clauses} |")
    return "\n".join(lines) + "\n"


def cue_table(rules: Rules) -> str:
    """Markdown: every cue rule in order, with the events that it sees."""
    lines = ["| cue | rule | names |", "|---|---|---|"]
    for rule in rules.content.cues:
        names = ", ".join(f"`{name}`" for name in rule.names) or f"all of type {', '.join(rule.types)}"
        notes = [f"where {_condition(rule.where)}"] if rule.where is not None else []
        if rule.names and rule.types != spec.NAMED_TYPES:
            notes.append(f"{', '.join(rule.types)} only")
        noted = "".join(f"; *{note}*" for note in notes)
        lines.append(f"| {rule.cue} | {rule.name} | {names}{noted} |")
    return "\n".join(lines) + "\n"


def _confidence(rule: spec.AnyRule) -> str:
    return "" if rule.moment == "none" else f"{rule.confidence:g}"


def _condition(where: spec.Condition) -> str:
    path = " or ".join(f"`{path}`" for path in where.paths)
    for verb, words in (("is", where.is_), ("starts with", where.starts_with), ("contains", where.contains)):
        if words:
            return f"{path} {verb} {', '.join(f'`{word}`' for word in words)}"
    if where.is_id:
        return f"{path} is an id"
    if where.above is not None:
        return f"{path} is above {where.above:g}"
    return f"{path} is {'there' if where.exists else 'missing'}"


def fill_tables(page: str, rules: Rules) -> str:
    """The page with its tables made anew.

    The table of events stands between `<!-- events -->` and `<!-- /events -->`, and so on for the grammar,
    pages, queries and cues.
    """
    tables = (
        ("events", event_table),
        ("grammar", grammar_table),
        ("pages", page_table),
        ("queries", query_table),
        ("cues", cue_table),
    )
    for name, table in tables:
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->\n")
        assert begin, f"the page has no place for {name}"
        assert end, f"the place for {name} has no end"
        page = before + begin + table(rules) + end + after
    return page
