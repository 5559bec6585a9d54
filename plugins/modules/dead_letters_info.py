#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists the studies that were given up, with the reason."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dead_letters_info
short_description: List the studies that were given up, with the reason
version_added: 0.1.0
description:
  - Reads the Kafka topic to which Knative Eventing sends events that cannot be handled, and tells for each object why.
  - Nothing is consumed - no consumer group is joined, no offset committed, so that every call sees all letters.
author:
  - XRay Lab contributors (@xraylab)
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  bootstrap_servers:
    description: Addresses of the Kafka listener.
    type: list
    elements: str
    required: true
  topic:
    description: Topic with the dead letters.
    type: str
    default: xray-images-dead-letters
  user:
    description: Kafka user, with the rights to read and describe the topic. Without it nobody logs in.
    type: str
  password:
    description: Password of the Kafka user.
    type: str
  ca_bundle:
    description: File with the Kafka cluster's CA certificate.
    type: path
  mechanism:
    description: How to log in.
    type: str
    choices: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512]
    default: SCRAM-SHA-512
  use_ssl:
    description: Whether the listener speaks TLS.
    type: bool
    default: true
  last:
    description: Read only this number of letters from the end of each partition. All of them without it.
    type: int
  timeout:
    description: Seconds to wait for the letters.
    type: int
    default: 60
requirements:
  - confluent-kafka >= 2.3
"""

EXAMPLES = r"""
- name: What was given up, and why
  xraylab.medical_diagnosis.dead_letters_info:
    bootstrap_servers: [kafka.example.com:9094]
    user: dead-letters-reader
    password: "{{ kafka_reader_password }}"
    ca_bundle: /etc/xraylab/kafka-ca.crt
  register: given_up
"""

RETURN = r"""
dead_letters:
  description: One entry for each object and reason, the one that came last at the end.
  returned: success
  type: list
  elements: dict
  contains:
    bucket:
      description: Bucket of the object, empty when the event cannot be read.
      type: str
    key:
      description: Key of the object, empty when the event cannot be read.
      type: str
    etag:
      description: ETag of the object.
      type: str
    reason:
      description: What the risk assessment answered.
      type: str
    code:
      description: HTTP status of its answer.
      type: str
    first_time:
      description: When the first letter came.
      type: str
    last_time:
      description: When the last letter came.
      type: str
    partition:
      description: Partition of the last letter.
      type: int
    offset:
      description: Offset of the last letter.
      type: int
    count:
      description: Number of letters.
      type: int
  sample:
    - bucket: xray-source
      key: notes.txt
      etag: 5d41402abc4b2a76b9719d911017c592
      reason: The object is no image.
      code: "422"
      first_time: "2026-11-24T11:51:49.539Z"
      last_time: "2026-11-24T11:51:49.539Z"
      partition: 0
      offset: 7
      count: 1
count:
  description: Number of letters that were read.
  returned: success
  type: int
  sample: 1
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _dead_letters as dead_letters
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _kafka as kafka

ARGUMENTS = {**kafka.KAFKA_ARGUMENTS, "last": {"type": "int"}, "timeout": {"type": "int", "default": 60}}


def read(options: dict) -> list[dead_letters.Letter]:
    topic = kafka.open_topic(options, newest_only=False, last=options["last"])
    try:
        messages = topic.read_to_end(options["timeout"])
    finally:
        topic.close()
    messages.sort(key=lambda message: message.timestamp)
    return [letter for message in messages for letter in dead_letters.read_letters(message)]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        letters = read(module.params)
    except kafka.KafkaError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, dead_letters=dead_letters.summarize(letters), count=len(letters))


if __name__ == "__main__":
    main()
