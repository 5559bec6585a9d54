#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Manages one notification of a bucket of Ceph's RADOS Gateway."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rgw_bucket_notification
short_description: Manage one notification of a bucket of Ceph's RADOS Gateway
version_added: 0.1.0
description:
  - Lets a bucket announce its objects on a topic that M(xraylab.medical_diagnosis.rgw_topic) made.
  - Other notifications of the bucket are left alone. The RADOS Gateway (RGW) adds to them where S3 would replace
    them, which is why modules written for S3 cannot remove one here.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - xraylab.medical_diagnosis.rgw
attributes:
  check_mode:
    support: full
    description: Reads the bucket's notifications and predicts.
  diff_mode:
    support: full
    description: Shows this notification before and after.
options:
  bucket:
    description: Bucket that announces its objects. It must exist and belong to the user of O(access_key).
    type: str
    required: true
  name:
    description: Id of the notification, unique in the bucket.
    type: str
    required: true
  state:
    description: Whether the notification is there.
    type: str
    choices: [present, absent]
    default: present
  topic:
    description: Name or ARN of the topic. Required with O(state=present).
    type: str
  events:
    description:
      - Kinds of events, as S3 names them.
      - RGW 16 crashes when a request that deletes many objects at once meets a notification about removed objects, so
        leave C(s3:ObjectRemoved) out with it.
    type: list
    elements: str
    default: ["s3:ObjectCreated:*"]
  prefix:
    description: Announce only objects whose key starts with this.
    type: str
  suffix:
    description: Announce only objects whose key ends with this.
    type: str
  regex:
    description: Announce only objects whose key matches this regular expression, an extension of Ceph.
    type: str
  refresh:
    description:
      - Whether to put the notification again although it is as wanted.
      - A notification holds a copy of its topic, so this must be V(true) after a topic was changed. Give it
        RV(xraylab.medical_diagnosis.rgw_topic#module:notifications_stale).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Announce every X-ray that is uploaded
  xraylab.medical_diagnosis.rgw_bucket_notification:
    endpoint_url: https://rgw.example.com
    access_key: "{{ object_store_owner.access_key }}"
    secret_key: "{{ object_store_owner.secret_key }}"
    bucket: xray-source
    name: xray-images
    topic: xray-images
    refresh: "{{ topic.notifications_stale }}"

- name: Announce nothing on this topic any more
  xraylab.medical_diagnosis.rgw_bucket_notification:
    bucket: xray-source
    name: xray-images
    state: absent
"""

RETURN = r"""
notification:
  description: The notification; in check mode, as it would be. Empty when absent.
  returned: success
  type: dict
  sample:
    name: xray-images
    topic: xray-images
    events: ["s3:ObjectCreated:*"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw_notifications as notifications
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._rgw import (
    RGW_ARGUMENTS,
    Gateway,
    RgwError,
    endpoint_of,
)

ARGUMENTS = {
    **RGW_ARGUMENTS,
    "bucket": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "topic": {"type": "str"},
    "events": {"type": "list", "elements": "str", "default": ["s3:ObjectCreated:*"]},
    "prefix": {"type": "str"},
    "suffix": {"type": "str"},
    "regex": {"type": "str"},
    "refresh": {"type": "bool", "default": False},
}


def write(gateway: Gateway, bucket: str, wanted: notifications.Notification, plan: notifications.Plan) -> None:
    named = f"notification {wanted.name} of bucket {bucket}"
    # Deletes come first: after a PUT with another topic both have this id, and RGW does not say which one it deletes.
    for _number in range(plan.deletes):
        gateway.delete_notification(f"remove {named}", bucket, wanted.name)
    if not plan.put:
        return
    try:
        gateway.put_notification(f"put {named}", bucket, notifications.write_notification(wanted))
    except RgwError as error:
        if error.code in ("NoSuchKey", "NoSuchEntity"):
            raise RgwError(f"{error} The topic {wanted.topic} does not exist: make it first.", error.code) from None
        if error.code == "InvalidArgument":
            raise RgwError(f"{error} RGW knows not all of these events: {', '.join(sorted(wanted.events))}.") from None
        raise


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS, supports_check_mode=True, required_if=[("state", "present", ["topic", "events"])]
    )
    bucket, state, wanted = (
        module.params["bucket"],
        module.params["state"],
        notifications.wanted_notification(module.params),
    )
    gateway = Gateway(endpoint_of(module))
    try:
        document = gateway.notifications(f"read the notifications of bucket {bucket}", bucket)
        found = notifications.read_notifications(document)
        plan = notifications.plan(found, wanted, state, module.params["refresh"])
        if not module.check_mode:
            write(gateway, bucket, wanted, plan)
    except RgwError as error:
        module.fail_json(msg=str(error))
    before = [notifications.describe(notification) for notification in found if notification.name == wanted.name]
    after = [notifications.describe(wanted)] if state == "present" else []
    module.exit_json(
        changed=plan.changes,
        notification=after[0] if after else {},
        diff={"before": {"notifications": before}, "after": {"notifications": after}},
    )


if __name__ == "__main__":
    main()
