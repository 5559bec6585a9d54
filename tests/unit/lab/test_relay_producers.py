# SPDX-License-Identifier: GPL-3.0-or-later
"""What the relay's producers tell of records that Kafka did not take. Nobody listens where they send to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import certifi
import pytest
from relay.producers import NotDelivered, Producers
from relay.request import Login

LOGIN = Login("127.0.0.1:1", "user", "password")
SECONDS = 2.0


def outcomes(records: int, between) -> list:
    """How `records` sends ended, where `between` is called with the producers while they are on their way."""

    async def send() -> list:
        producers = Producers(Path(certifi.where()), SECONDS)
        sends = [producers.get(LOGIN).send("topic", "key", b"value") for _ in range(records)]
        waiting = asyncio.gather(*sends, return_exceptions=True)
        await asyncio.sleep(0.2)
        between(producers)
        return await asyncio.wait_for(waiting, SECONDS + 10)

    return asyncio.run(send())


@pytest.mark.parametrize(
    "between", [lambda _producers: None, lambda producers: producers.discard(LOGIN)], ids=["kept", "discarded"]
)
def test_every_record_that_kafka_did_not_take_is_told(between):
    found = outcomes(3, between)
    assert [type(outcome) for outcome in found] == [NotDelivered] * 3
    assert all("told nothing" not in str(outcome) for outcome in found)


def test_a_record_that_came_after_the_end_is_told_too():
    async def send() -> None:
        connection = Producers(Path(certifi.where()), SECONDS).get(LOGIN)
        connection.close()
        await asyncio.sleep(1.5)
        await connection.send("topic", "key", b"value")

    with pytest.raises(NotDelivered, match=r"told nothing of the record within 4 s"):
        asyncio.run(asyncio.wait_for(send(), SECONDS + 10))
