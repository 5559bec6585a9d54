#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Manages a bucket-notification topic of Ceph's RADOS Gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rgw_topic
short_description: Manage a bucket-notification topic of Ceph's RADOS Gateway
version_added: 0.1.0
description:
  - A topic tells the RADOS Gateway (RGW) where to push events about objects, for example to a Kafka cluster.
    M(xraylab.medical_diagnosis.rgw_bucket_notification) then lets a bucket announce its objects on the topic.
  - RGW has no request that changes one attribute of a topic. This module writes all attributes whenever one differs,
    so an attribute that is not given goes back to RGW's default.
  - RGW does not check whether anything answers at the endpoint.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - xraylab.medical_diagnosis.rgw
attributes:
  check_mode:
    support: full
    description: Reads the topic and predicts.
  diff_mode:
    support: full
    description: Shows the attributes with the endpoint's password masked.
options:
  name:
    description: Name of the topic. With a C(kafka://) endpoint it is also the name of the Kafka topic.
    type: str
    required: true
  state:
    description:
      - Whether the topic is there.
      - Remove the notifications that use a topic before the topic; RGW keeps pushing to it otherwise.
    type: str
    choices: [present, absent]
    default: present
  push_endpoint:
    description:
      - Where events go - C(kafka://user:password@host:port), C(http://...), C(https://...), C(amqp://...) or
        C(amqps://...). Escape special characters of the user and the password (V(%40) for V(@)).
      - RGW takes an endpoint with a password over https only.
      - Required with O(state=present).
    type: str
  persistent:
    description:
      - Whether RGW keeps an event until the endpoint has taken it.
      - With V(false), an event whose delivery fails is lost although the upload succeeds.
    type: bool
    default: true
  kafka_ack_level:
    description: Whether an event counts as delivered once the broker has it (V(broker)) or as soon as it was sent
      (V(none)).
    type: str
    choices: [broker, none]
  mechanism:
    description: How RGW authenticates to Kafka.
    type: str
    choices: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI, OAUTHBEARER]
  use_ssl: {description: Whether RGW speaks TLS with Kafka., type: bool}
  verify_ssl: {description: Whether RGW verifies the endpoint's certificate., type: bool}
  ca_location:
    description: File B(on the hosts that run RGW) with the authorities that are trusted to sign Kafka's certificate.
    type: str
  amqp_exchange: {description: Exchange of an AMQP endpoint., type: str}
  amqp_ack_level:
    description: When an event counts as delivered to an AMQP endpoint.
    type: str
    choices: [none, broker, routable]
  cloudevents:
    description: Whether an HTTP endpoint gets CloudEvents headers. Ignored by RGW 16.
    type: bool
  opaque_data:
    description: Text that RGW puts into each event.
    type: str
  max_retries:
    description: Tries after which RGW drops a kept event. It never drops one by default.
    type: int
  time_to_live:
    description: Seconds after which RGW drops a kept event. It never drops one by default.
    type: int
  retry_sleep_duration: {description: Seconds between two tries., type: int}
  update_password:
    description:
      - What to do where RGW does not show the password that it has, so that a change of it cannot be seen.
      - V(on_change) takes it for unchanged and warns, V(always) writes the topic each time.
    type: str
    choices: [on_change, always]
    default: on_change
"""

EXAMPLES = r"""
- name: Announce X-rays on a Kafka topic, over TLS with SCRAM
  xraylab.medical_diagnosis.rgw_topic:
    endpoint_url: https://rgw.example.com
    access_key: "{{ object_store_owner.access_key }}"
    secret_key: "{{ object_store_owner.secret_key }}"
    name: xray-images
    push_endpoint: "kafka://rgw:{{ kafka_password | urlencode }}@xray-cluster-kafka-external-bootstrap.example.com:443"
    kafka_ack_level: broker
    mechanism: SCRAM-SHA-512
    use_ssl: true
    ca_location: /etc/ceph/xray-cluster-ca.crt
  register: topic

- name: Let the bucket use the topic as it is now
  xraylab.medical_diagnosis.rgw_bucket_notification:
    bucket: xray-source
    name: xray-images
    topic: "{{ topic.topic.arn }}"
    refresh: "{{ topic.notifications_stale }}"

- name: A topic that is gone
  xraylab.medical_diagnosis.rgw_topic:
    name: xray-images
    state: absent
"""

RETURN = r"""
topic:
  description: The topic, its attributes named like this module's options; in check mode, as it would be. Empty when
    absent.
  returned: success
  type: dict
  sample:
    name: xray-images
    arn: arn:aws:sns:default::xray-images
    push_endpoint: kafka://rgw:********@kafka.example.com:9094
    persistent: true
    kafka_ack_level: broker
    use_ssl: true
    verify_ssl: true
notifications_stale:
  description:
    - Whether a topic that existed was changed. Notifications hold a copy of their topic, made when they were put, so
      they must be put again, as O(xraylab.medical_diagnosis.rgw_bucket_notification#module:refresh) does.
  returned: success
  type: bool
  sample: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw_topics as topics
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._rgw import (
    RGW_ARGUMENTS,
    Gateway,
    RgwError,
    endpoint_of,
)

ARGUMENTS = {
    **RGW_ARGUMENTS,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "push_endpoint": {"type": "str", "no_log": True},
    "persistent": {"type": "bool", "default": True},
    "kafka_ack_level": {"type": "str", "choices": ["broker", "none"]},
    "mechanism": {"type": "str", "choices": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"]},
    "use_ssl": {"type": "bool"},
    "verify_ssl": {"type": "bool"},
    "ca_location": {"type": "str"},
    "amqp_exchange": {"type": "str"},
    "amqp_ack_level": {"type": "str", "choices": ["none", "broker", "routable"]},
    "cloudevents": {"type": "bool"},
    "opaque_data": {"type": "str"},
    "max_retries": {"type": "int"},
    "time_to_live": {"type": "int"},
    "retry_sleep_duration": {"type": "int"},
    "update_password": {"type": "str", "choices": ["on_change", "always"], "default": "on_change", "no_log": False},
}


def arn_of(name: str) -> str:
    """RGW looks only at the name (and the tenant) of an ARN, so that the zone group need not be known."""
    return f"arn:aws:sns:::{name}"


def read_topic(gateway: Gateway, name: str) -> tuple[str, dict[str, str]] | None:
    try:
        return topics.read_topic(gateway.sns(f"read topic {name}", "GetTopicAttributes", {"TopicArn": arn_of(name)}))
    except RgwError as error:
        if error.code in ("NoSuchEntity", "NotFound"):
            return None
        raise


def write_topic(gateway: Gateway, name: str, attributes: dict[str, str]) -> None:
    entries = {}
    for number, (attribute, value) in enumerate(attributes.items(), 1):
        entries |= {f"Attributes.entry.{number}.key": attribute, f"Attributes.entry.{number}.value": value}
    gateway.sns(f"write topic {name}", "CreateTopic", {"Name": name, **entries})


def remove(module: AnsibleModule, gateway: Gateway, name: str) -> dict:
    found = read_topic(gateway, name)
    if found and not module.check_mode:
        gateway.sns(f"remove topic {name}", "DeleteTopic", {"TopicArn": arn_of(name)})
    before = topics.describe(name, *found) if found else {}
    return {"changed": bool(found), "topic": {}, "notifications_stale": False, "diff": {"before": before, "after": {}}}


def ensure(module: AnsibleModule, gateway: Gateway, name: str) -> dict:
    wanted, found = topics.wanted_attributes(module.params), read_topic(gateway, name)
    before = topics.describe(name, *found) if found else {}
    arn, stored = found or (arn_of(name), {})
    difference = topics.compare(stored, wanted)
    write = not found or difference.must_write(module.params["update_password"] == "always")  # noqa: S105
    if found and not write and difference.login == "hidden":
        module.warn(f"RGW does not show the password of topic {name}: took it for unchanged. See update_password.")
    if write and not module.check_mode:
        write_topic(gateway, name, wanted)
        arn, wanted = read_topic(gateway, name) or (arn, wanted)
    after = topics.describe(name, arn, wanted)
    shown = after | ({"password": "(another one)"} if found and difference.login == "changed" else {})
    return {
        "changed": write, "topic": after, "notifications_stale": bool(found and write),
        "diff": {"before": before, "after": shown},
    }  # fmt: skip


def check_encrypted(module: AnsibleModule, gateway: Gateway) -> None:
    secrets = topics.secrets_of(module.params["push_endpoint"] or "")
    # Nothing prints a password; masking a short one in everything else would only damage the results.
    module.no_log_values.update(secret for secret in secrets if len(secret) >= 8)
    if secrets and not gateway.endpoint.encrypted:
        module.fail_json(
            msg="push_endpoint holds a password, which RGW takes over https only, but endpoint_url is "
            f"{gateway.endpoint.url}. Give the https address of RGW."
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, supports_check_mode=True, required_if=[("state", "present", ["push_endpoint"])]
    )
    gateway = Gateway(endpoint_of(module))
    check_encrypted(module, gateway)
    act = ensure if module.params["state"] == "present" else remove
    try:
        result = act(module, gateway, module.params["name"])
    except RgwError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
