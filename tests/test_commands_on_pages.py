"""Every command on our pages is run by a test, against something that holds what it should show."""

import pytest

from docs.generate import HERE
from tests.commands_on_pages import ALL

README, PAGES = "tests/cli/test_readme.py", "tests/kafka/test_commands_on_pages.py"
BEGUN, NEW_APP = f"{PAGES}::test_an_app_as_the_pages_begin_one", "tests/kafka/test_new_app.py"
SERVING = "tests/dashboard/test_serving.py"
# By how a command begins: where it is run.
RUN = {
    ".venv/bin/streams run clicks/": f"{README}::test_following_a_directory",
    ".venv/bin/streams topics apply --kafka broker": BEGUN,
    ".venv/bin/streams run --kafka broker": BEGUN,
    ".venv/bin/streams ": f"{README}::test_your_own_events",
    "streams dashboard --data-dir": f"{SERVING}::test_the_command_serves_until_it_is_stopped",
    "streams export --data-dir": "tests/cli/test_export.py::test_the_notebook_draws_what_the_funnel_says",
    "streams replay clicks.csv.gz": f"{README}::test_the_table_on_the_page_of_inputs",
    "streams rules test pinned.tsv": "tests/cli/test_rules_page.py::test_the_examples_hold",
    "streams compare-rules current my-shop.toml": "tests/cli/test_rules_page.py::test_the_comparison",
    "streams run --kafka localhost": f"{PAGES}::test_agents_of_your_own",
    "faust -A my_agents": f"{PAGES}::test_agents_of_your_own",
    "streams topics apply --kafka broker": BEGUN,
    "streams run --kafka broker": BEGUN,
    "streams verify --kafka broker": BEGUN,
    "streams topics apply --kafka $KAFKA": f"{NEW_APP}::test_a_new_app_counts_the_same_beside_the_old_one",
    "streams run --kafka $KAFKA": f"{NEW_APP}::test_a_new_app_counts_the_same_beside_the_old_one",
    "streams lag --kafka $KAFKA": f"{NEW_APP}::test_a_new_app_counts_the_same_beside_the_old_one",
    "streams funnel --kafka $KAFKA": BEGUN,
    "streams journey u:4711 --kafka $KAFKA": BEGUN,
    "streams transitions --kafka $KAFKA": BEGUN,
    "streams late --kafka $KAFKA": BEGUN,
    "streams app compare --kafka $KAFKA": f"{NEW_APP}::test_a_new_app_counts_the_same_beside_the_old_one",
    "streams explain --unknown": f"{PAGES}::test_the_runbook_lists_names_that_no_rule_has",
    "streams redrive rejected": f"{PAGES}::test_the_runbook_redrives_what_was_from_the_future",
    "kafka-console-consumer": f"{PAGES}::test_the_runbook_shows_rejected_records",
    "kafka-transactions": f"{PAGES}::test_the_runbook_ends_a_transaction_that_nobody_ends",
    "kafka-acls": "tests/kafka/test_security.py::test_the_commands_on_the_page_give_the_rights",
}


@pytest.mark.parametrize("typed", sorted(set(ALL)))
def test_a_command_on_a_page_is_run(typed: str) -> None:
    """By a test that is there. A new command needs a test, and a line above."""
    where = next((where for begin, where in RUN.items() if typed.startswith(begin)), None)
    assert where is not None, typed
    file, _, name = where.partition("::")
    assert f"def {name}(" in (HERE.parent / file).read_text("utf-8")


def test_no_line_above_is_left_over() -> None:
    """Each stands for a command that is on a page."""
    assert [] == [begin for begin in RUN if not any(typed.startswith(begin) for typed in ALL)]
