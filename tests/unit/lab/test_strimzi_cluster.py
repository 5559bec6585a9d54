# SPDX-License-Identifier: GPL-3.0-or-later
"""From Kafka and KafkaNodePool to names, configuration, manifests and addresses."""

from __future__ import annotations

import pytest
from strimzi import addresses, brokerconfig, manifests
from strimzi.cluster import new_cluster_id, pod_trouble, pool_status, rolled_out
from strimzi.topology import parse_cluster, parse_pools
from strimzi.work import Failure
from strimzi_cases import KAFKA, NODES, PORTS, kafka, pool


def options(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def config(body=KAFKA, pools=None) -> dict[str, str]:
    cluster = parse_cluster(body, pools or [pool()])
    node = cluster.nodes()[0]
    return options(brokerconfig.server_properties(cluster, node, addresses.advertised(cluster, node, PORTS, NODES)))


def test_pods_and_claims_have_strimzis_names():
    cluster = parse_cluster(KAFKA, [pool()])
    body = manifests.workload(cluster, cluster.pools[0], "kafka:1", "id", {}, [])
    assert [n.pod for n in cluster.nodes()] == ["xray-cluster-dual-role-0"]
    claim = body["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    assert (
        f"{claim}-{body['metadata']['name']}-{body['spec']['ordinals']['start']}" == "data-0-xray-cluster-dual-role-0"
    )
    assert body["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain"


def test_delete_claim_lets_the_claims_go_with_the_cluster():
    volumes = [{"id": 0, "type": "persistent-claim", "size": "5Gi", "deleteClaim": True, "class": "fast"}]
    cluster = parse_cluster(KAFKA, [pool(storage={"type": "jbod", "volumes": volumes})])
    body = manifests.workload(cluster, cluster.pools[0], "kafka:1", "id", {}, [])
    assert body["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    assert body["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"


def test_service_names_are_strimzis():
    cluster = parse_cluster(KAFKA, [pool()])
    found = {s["metadata"]["name"]: s["spec"] for s in manifests.services(cluster, [])}
    assert set(found) == {
        "xray-cluster-kafka-brokers",
        "xray-cluster-kafka-bootstrap",
        "xray-cluster-kafka-external-bootstrap",
        "xray-cluster-dual-role-external-0",
    }
    assert [p["port"] for p in found["xray-cluster-kafka-bootstrap"]["ports"]] == [9091, 9093]


def test_a_single_broker_replicates_nothing_and_is_small():
    found = config()
    assert found["offsets.topic.replication.factor"] == "1"
    assert found["min.insync.replicas"] == "1"
    assert found["log.cleaner.dedupe.buffer.size"] == "16777216"
    assert found["log.dirs"] == "/var/lib/kafka/data-0/kafka-log0"


def test_three_brokers_keep_three_copies():
    found = config(pools=[pool(replicas=3)])
    assert found["default.replication.factor"] == "3"
    assert found["min.insync.replicas"] == "2"
    assert found["controller.quorum.voters"].count("@") == 3


def test_the_resource_overrides_defaults_but_not_the_operator():
    found = config(
        kafka(config={"num.io.threads": 8, "ssl.protocol": "x", "listeners": "y", "auto.create.topics.enable": True})
    )
    assert found["num.io.threads"] == "8"
    assert found["auto.create.topics.enable"] == "true"
    assert "ssl.protocol" not in found
    assert found["listeners"].startswith("CONTROLPLANE-9090://")


@pytest.mark.parametrize(
    ("option", "ignored"),
    [
        ("log.dirs", True),
        ("log.retention.hours", False),
        ("controller.quorum.voters", True),
        ("controller.quorum.fetch.timeout.ms", False),
        ("super.users", True),
        ("num.partitions", False),
    ],
)
def test_options_of_the_operator_are_ignored(option, ignored):
    assert (option in brokerconfig.forbidden({option: "1"})) is ignored


def test_listeners_authorization_and_super_users():
    found = config(kafka(authorization={"type": "simple", "superUsers": ["CN=me"]}))
    assert found["listener.security.protocol.map"].endswith("TLS-9093:SASL_SSL,EXTERNAL-9094:SASL_SSL")
    assert found["advertised.listeners"].endswith(
        "TLS-9093://xray-cluster-dual-role-0.xray-cluster-kafka-brokers.xraylab-1.svc:9093,EXTERNAL-9094://10.250.0.1:31001"
    )
    assert found["listener.name.replication-9091.ssl.client.auth"] == "required"
    assert found["listener.name.tls-9093.sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert found["super.users"].split(";")[-1] == "User:CN=me"
    assert "StandardAuthorizer" in found["authorizer.class.name"]


def test_without_authorization_there_is_no_authorizer():
    body = kafka()
    del body["spec"]["kafka"]["authorization"]
    assert "authorizer.class.name" not in config(body)


def test_status_lists_where_clients_connect():
    cluster = parse_cluster(KAFKA, [pool()])
    internal, external = addresses.listener_status(cluster, PORTS, NODES, "PEM")
    assert internal == {
        "name": "tls",
        "addresses": [{"host": "xray-cluster-kafka-bootstrap.xraylab-1.svc", "port": 9093}],
        "bootstrapServers": "xray-cluster-kafka-bootstrap.xraylab-1.svc:9093",
        "certificates": ["PEM"],
    }
    assert external["bootstrapServers"] == "10.250.0.1:31000"


def test_certificates_name_every_way_to_a_broker():
    cluster = parse_cluster(KAFKA, [pool()])
    hosts = addresses.certificate_hosts(cluster, cluster.nodes()[0], NODES)
    assert {"10.250.0.1", "xray-cluster-kafka-bootstrap.xraylab-1.svc", cluster.nodes()[0].host} <= set(hosts)


def test_node_address_follows_strimzis_order_or_the_preference():
    assert addresses.node_address(NODES) == "10.250.0.1"
    assert addresses.node_address(NODES, "Hostname") == "node1"
    with pytest.raises(Failure, match="none of 0"):
        addresses.node_address([])


def test_pools_get_ids_one_after_the_other_and_keep_them():
    pools = parse_pools([pool("a", replicas=3), pool("b")])
    assert [p.node_ids for p in pools] == [[0, 1, 2], [3]]
    pools = parse_pools([pool("a", nodeIds=[5]), pool("b")])
    assert [p.node_ids for p in pools] == [[5], [6]]


@pytest.mark.parametrize(
    ("body", "pools", "words"),
    [
        (
            kafka(version="4.0.0"),
            [pool()],
            r"Unsupported Kafka.spec.kafka.version: 4.0.0. Supported versions are: \[4.3.1\]",
        ),
        (kafka(), [], "needs KafkaNodePools with the roles"),
        (kafka(), [pool(roles=["broker"])], "needs KafkaNodePools with the roles"),
        (kafka(authorization={"type": "custom"}), [pool()], "authorization custom"),
        (kafka(listeners=[{"name": "x", "port": 9094, "type": "ingress", "tls": True}]), [pool()], "type ingress"),
        (kafka(listeners=[{"name": "x", "port": 9094, "type": "route", "tls": False}]), [pool()], "needs tls: true"),
        (
            kafka(listeners=[{"name": "x", "port": 9094, "type": "internal", "authentication": {"type": "custom"}}]),
            [pool()],
            "authentication custom",
        ),
        (kafka(), [pool("a", nodeIds=[0], replicas=2), pool("b", nodeIds=[1])], "would grow into id 1"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(body, pools, words):
    with pytest.raises(Failure, match=words):
        parse_cluster(body, pools)


@pytest.mark.parametrize(
    ("spec", "pool_spec", "heap"),
    [
        ({}, {}, "-Xms128m -Xmx320m"),
        ({}, {"jvmOptions": {"-Xmx": "512m"}}, "-Xms128m -Xmx512m"),
        ({"jvmOptions": {"-Xms": "64m", "-XX": {"UseG1GC": "true"}}}, {}, "-Xms64m -Xmx320m -XX:+UseG1GC"),
        ({}, {"resources": {"limits": {"memory": "1Gi"}}}, "-Xms512m -Xmx512m"),
    ],
)
def test_heap(spec, pool_spec, heap):
    assert brokerconfig.heap_options(spec, pool_spec) == heap


@pytest.mark.parametrize(
    ("quantity", "size"), [("1Gi", 1 << 30), ("512Mi", 512 << 20), ("2G", 2 * 10**9), ("7", 7), (None, 0)]
)
def test_memory_quantities(quantity, size):
    assert brokerconfig.memory_bytes(quantity) == size


def test_properties_stay_on_one_line():
    assert brokerconfig.property_value("a\\b\nc") == "a\\\\b\\nc"


def workload(**status):
    body = {
        "observedGeneration": 2,
        "readyReplicas": 1,
        "updatedReplicas": 1,
        "currentRevision": "a",
        "updateRevision": "a",
    }
    return {"metadata": {"generation": 2}, "spec": {"replicas": 1}, "status": body | status}


@pytest.mark.parametrize(
    ("status", "out"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"readyReplicas": 0}, False),
        ({"updatedReplicas": 0, "updateRevision": "b"}, False),
    ],
)
def test_rolled_out(status, out):
    assert rolled_out(workload(**status)) is out


def test_pod_trouble_names_the_pod_and_its_last_words():
    ended = {"reason": "Error", "message": "Invalid\ncluster.id in meta.properties"}
    status = {"ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}
    pods = [{"metadata": {"name": "p-0"}, "status": {"containerStatuses": [status]}}]
    assert pod_trouble(pods) == "pod p-0: CrashLoopBackOff Invalid cluster.id in meta.properties"
    assert pod_trouble([{"metadata": {"name": "p-0"}, "status": {}}]) == ""


def test_pool_status_has_no_conditions():
    cluster = parse_cluster(KAFKA, [pool()])

    class Built:
        cluster_id = "id"

    found = pool_status(cluster, cluster.pools[0], pool(), Built)
    assert found["nodeIds"] == [0]
    assert found["replicas"] == 1
    assert "conditions" not in found
    assert found["labelSelector"].endswith("strimzi.io/pool-name=dual-role")


def test_cluster_ids_are_kafka_uuids():
    assert all(len(i) == 22 and not i.startswith("-") for i in (new_cluster_id() for _ in range(200)))
