# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in of kafka_exporter: what it says of topics and groups, and the Deployment it runs as."""

import asyncio

from strimzi import manifests
from strimzi.brokerconfig import super_users
from strimzi.exporter import Chosen, Exporter
from strimzi.offsets import Group
from strimzi.topology import parse_cluster
from strimzi_cases import KAFKA, kafka, pool


class Brokers:
    """Two topics and a group, as the brokers would tell."""

    def __init__(self):
        self.ends = {("xray-images", 0): 1234567, ("xray-images", 1): 5, ("xray-images", 2): 9, ("other", 0): 3}

    async def broker_ids(self):
        return [0]

    async def places(self):
        return sorted(self.ends)

    async def offsets(self, places, latest):
        return {place: self.ends[place] if latest else 1 for place in places}

    async def group_names(self):
        return ["risk-assessment", "someone"]

    async def groups(self, names):
        offsets = {("xray-images", 0): 1234560, ("xray-images", 1): 6, ("gone", 0): 7}
        return [Group(name, 2, offsets) for name in names]


def test_it_tells_ends_and_lag_by_group_and_topic():
    lines = asyncio.run(Exporter(Brokers(), Chosen("xray"), Chosen(".*", "some")).collect()).splitlines()
    group = 'consumergroup="risk-assessment"'
    assert {
        "kafka_brokers 1",
        'kafka_topic_partitions{topic="xray-images"} 3',
        'kafka_topic_partition_current_offset{partition="0",topic="xray-images"} 1234567',
        'kafka_topic_partition_oldest_offset{partition="1",topic="xray-images"} 1',
        f'kafka_consumergroup_current_offset{{{group},partition="0",topic="xray-images"}} 1234560',
        f'kafka_consumergroup_lag{{{group},partition="0",topic="xray-images"}} 7',
        f'kafka_consumergroup_lag{{{group},partition="1",topic="xray-images"}} 0',
        f'kafka_consumergroup_lag{{{group},partition="2",topic="xray-images"}} -1',
        f'kafka_consumergroup_lag_sum{{{group},topic="xray-images"}} 7',
        f"kafka_consumergroup_members{{{group}}} 2",
    } <= set(lines)
    assert not [line for line in lines if "other" in line or "gone" in line or "someone" in line]


def test_the_exporter_has_strimzis_names_and_may_read_everything():
    body = kafka()
    body["spec"]["kafkaExporter"] = {"groupRegex": "risk.*"}
    cluster = parse_cluster(body, [pool()])
    found = manifests.exporter(cluster, "image", "hash", manifests.owner(KAFKA))
    assert found["metadata"]["name"] == "xray-cluster-kafka-exporter"
    template = found["spec"]["template"]
    assert template["metadata"]["labels"].items() >= found["spec"]["selector"]["matchLabels"].items()
    assert template["metadata"]["labels"]["strimzi.io/kind"] == "Kafka"
    container = template["spec"]["containers"][0]
    assert container["ports"] == [{"name": "tcp-prometheus", "containerPort": 9404}]
    assert {"name": "GROUP_REGEX", "value": "risk.*"} in container["env"]
    assert "User:CN=xray-cluster-kafka-exporter,O=io.strimzi" in super_users(cluster).split(";")


def test_without_the_field_there_is_no_exporter():
    assert not parse_cluster(KAFKA, [pool()]).has_exporter
