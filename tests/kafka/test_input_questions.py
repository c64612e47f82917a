"""`why`, `verify` and `compare-rules` read the inputs themselves: collectors hold records back, and people
delete topics.
"""

import asyncio
from pathlib import Path

import orjson
from aiokafka import AIOKafkaProducer

from streams.log.kafka.client import Cluster
from streams.log.kafka.log import KafkaLog
from streams.queries.person import Person
from streams.queries.verify import verify
from streams.queries.why import read_why
from streams.settings.tables import Settings
from tests.cli.running import process
from tests.kafka.asked import PARTITIONS, same_shop
from tests.kafka.broker import bootstrap
from tests.kafka.test_app_record import Member, delete, has_received, make, records
from tests.queries.written import SHOP, did

LONGEST_S = 60  # far below NEVER_S, and far above what the busiest machine takes
NEVER_S = 3_600.0
TIMEOUT_MS = 600_000  # of the collector's transaction


async def test_no_question_waits_for_the_transaction_of_a_collector(tmp_path: Path) -> None:
    """What it holds back was not processed, so no answer depends on it. `why` says what it has not seen."""
    shop = same_shop(tmp_path, SHOP, Settings())
    source = f"{shop.app}.events"
    before = orjson.loads((await asked("verify", *shop.cluster, "--json"))[0])
    told, _ = await asked("why", "ann", *shop.cluster)
    collector = AIOKafkaProducer(
        bootstrap_servers=bootstrap(),
        transactional_id=f"{shop.app}-collector",
        transaction_timeout_ms=TIMEOUT_MS,
    )
    await collector.start()
    await collector.begin_transaction()
    for partition in range(PARTITIONS):
        await collector.send(source, did("u:ann", "look", 0), b"ann", partition=partition)
    await collector.flush()

    log = KafkaLog(Cluster(bootstrap()), shop.app, {source: PARTITIONS}, PARTITIONS, settle_s=NEVER_S)
    verified = await asyncio.wait_for(verify(log, lambda done, total: None), LONGEST_S)
    assert (None, before["records"]) == (verified.difference, verified.records)
    found = await asyncio.wait_for(read_why(log, Person("ann"), lambda done, total: None), LONGEST_S)
    assert PARTITIONS == len(found.hidden)  # what a device there did may be hers
    await log.close()

    shown, said = await asked("why", "ann", *shop.cluster)
    assert told == shown
    assert "an open transaction hides what is behind it" in said
    await collector.abort_transaction()
    await collector.stop()


async def test_the_records_of_an_input_that_was_made_anew_are_no_history(tmp_path: Path) -> None:
    """The app has read none of them: `verify` compares nothing with them, `why` shows none of them, and both
    say so; other rules are not compared by them. So it is while the topic does not exist.
    """
    app = same_shop(tmp_path, [], Settings()).app
    source, flags = f"{app}.events", ("--kafka", bootstrap(), "--app", app)
    member = await Member(app).start()
    await member.log.append(records(20))
    await has_received(member.log, 20)
    await member.end()
    person = orjson.loads(records(1)[0].value)["userId"]
    whole = orjson.loads((await asked("verify", *flags, "--json"))[0])
    assert (True, 20) == (whole["equal"], whole["profiles"])

    await delete(source)
    await nothing_is_known(flags, person, "does not exist any more")
    await make(source)
    again = await Member(app).start()
    await again.opens()
    await again.log.append(records(20, first=1_000))
    await again.end()
    await nothing_is_known(flags, person, "is stopped")


async def nothing_is_known(flags: tuple[str, ...], person: str, why: str) -> None:
    verified = orjson.loads((await asked("verify", *flags, "--json"))[0])
    assert (True, 0) == (verified["equal"], verified["profiles"])
    assert verified["cut"]
    shown, said = await asked("why", person, *flags, "--json")
    assert {"gone"} == {orjson.loads(line)["ending"] for line in shown.splitlines()}
    assert f"{why}, and was not searched" in said
    shown, said = await asked("compare-rules", "current", "default", *flags, exit_code=1)
    assert "unknown: there is no event to compare them by" in shown
    assert f"{why}, and is not compared" in said


async def asked(*command: object, exit_code: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside that."""
    run = process(*command)
    shown, said = await asyncio.to_thread(run.communicate)
    assert exit_code == run.returncode, said
    return shown.decode(), said.decode()
