# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints how many events of a topic a consumer group has not taken yet, as JSON: {"lag": 3, "partitions": 4}.

Standard input is JSON: bootstrap_servers, user, password, ca (PEM text), topic, group.
"""

import json
import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

TIMEOUT = 15  # seconds


def main() -> None:
    asked = json.load(sys.stdin)
    consumer = Consumer(
        {
            "bootstrap.servers": asked["bootstrap_servers"],
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": asked["user"],
            "sasl.password": asked["password"],
            "ssl.ca.pem": asked["ca"],
            "group.id": asked["group"],
            "log_level": 0,
        }
    )
    try:
        print(json.dumps(lag(consumer, asked["topic"])))
    except KafkaException as error:
        where = f"group {asked['group']} at {asked['bootstrap_servers']}"
        sys.exit(f"Could not read the lag of {where}: {error.args[0].str()}")
    finally:
        consumer.close()


def lag(consumer: Consumer, topic: str) -> dict[str, int]:
    partitions = consumer.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions
    total = 0
    for committed in consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=TIMEOUT):
        first, end = consumer.get_watermark_offsets(committed, timeout=TIMEOUT)
        total += end - max(committed.offset, first)
    return {"lag": total, "partitions": len(partitions)}


if __name__ == "__main__":
    main()
