# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _kafka as kafka

OPTIONS = {
    "bootstrap_servers": ["k:9094"], "topic": "t", "user": "u", "password": "very-secret", "ca_bundle": "ca.crt",
    "mechanism": "SCRAM-SHA-512", "use_ssl": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "protocol"),
    [
        ({}, "SASL_SSL"),
        ({"user": None}, "SSL"),
        ({"use_ssl": False}, "SASL_PLAINTEXT"),
        ({"user": None, "use_ssl": False}, "PLAINTEXT"),
    ],
)
def test_the_options_choose_the_protocol(changed, protocol):
    found = kafka.settings({**OPTIONS, **changed})
    assert found["security.protocol"] == protocol
    assert ("sasl.password" in found) == protocol.startswith("SASL")
    assert ("ssl.ca.location" in found) == protocol.endswith("SSL")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("SASL SCRAM-SHA-512 mechanism handshake failed", "Check user, password and mechanism"),
        ("Authentication failed during authentication", "Check user, password and mechanism"),
        ("SSL handshake failed: certificate verify failed", "<cluster>-cluster-ca-cert"),
        ("Broker: Topic authorization failed", "Read and Describe"),
        ("Broker: Unknown topic or partition", "Check the topic's name"),
        ("Connect to ipv4#10.0.0.1:9094 failed: Connection refused", "reached from here"),
    ],
)
def test_a_failure_says_where_to_look(cause, words):
    told = f"sasl_ssl://k:9094/bootstrap: {cause} (after 3ms in state CONNECT)"
    text = kafka.sentence(OPTIONS, "Local: Broker transport failure", [told, "1/1 brokers are down"])
    assert words in text
    assert text.startswith(f"Could not read topic t at k:9094: {cause}.")
    assert "very-secret" not in text


def test_a_ca_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(kafka.KafkaError, match="ca_bundle must be a readable file"):
        kafka.check_ca({**OPTIONS, "ca_bundle": str(tmp_path / "none.crt")})


def test_nobody_listening_is_told(monkeypatch):
    pytest.importorskip("confluent_kafka")
    monkeypatch.setattr(kafka, "ANSWER_WITHIN", 2)
    with pytest.raises(kafka.KafkaError, match=r"Could not read topic t at 127\.0\.0\.1:1: .*refused"):
        kafka.open_topic({**OPTIONS, "bootstrap_servers": ["127.0.0.1:1"], "use_ssl": False}, newest_only=True)
