# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody applied to a Kubernetes object, out of the object itself."""

from __future__ import annotations

import json
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: applied_by
short_description: What a field manager applied to a Kubernetes object
version_added: 0.2.0
description:
  - Takes out of an object the fields that a manager has set by server-side apply, as the object's C(managedFields) say.
  - When it is applied again by the same manager, the object and its owners are what they were. An object as it was read
    would not do for that, since defaults that the API server added would become the manager's own.
positional: field_manager
options:
  _input:
    description: The object, with C(metadata.managedFields).
    type: dict
    required: true
  field_manager:
    description: Name of the manager.
    type: str
    required: true
author:
  - XRay Lab contributors (@xraylab)
"""

EXAMPLES = r"""
- name: Read an object with its managers
  kubernetes.core.k8s_info:
    api_version: serving.knative.dev/v1
    kind: Service
    namespace: xraylab-1
    name: risk-assessment
    hidden_fields: []
  register: running

- name: What was applied to it
  ansible.builtin.debug:
    msg: "{{ running.resources[0] | xraylab.medical_diagnosis.applied_by('xraylab') }}"
"""

RETURN = r"""
_value:
  description: The object with the manager's fields only.
  type: dict
"""


def applied_by(obj: dict[str, Any], field_manager: str) -> dict[str, Any]:
    metadata = obj["metadata"]
    found = [
        entry["fieldsV1"]
        for entry in metadata.get("managedFields", [])
        if entry["manager"] == field_manager and entry["operation"] == "Apply" and not entry.get("subresource")
    ]
    if not found:
        seen = ", ".join(entry["manager"] for entry in metadata.get("managedFields", [])) or "none"
        place = f"{obj['kind']} {metadata['name']}"
        raise AnsibleFilterError(f"applied_by: expected {field_manager} among those who applied {place}, seen: {seen}.")
    applied = owned(obj, found[0])
    identity = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return {
        **applied,
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {**applied.get("metadata", {}), **identity},
    }


def owned(value: Any, fields: dict[str, Any]) -> Any:
    """The part of a value that a set of fields names; one without names is the whole value."""
    if not fields:
        return value
    if isinstance(value, list):
        return [part for item in value for part in owned_item(item, fields)]
    names = {key[2:]: inner for key, inner in fields.items() if key.startswith("f:")}
    return {name: owned(value[name], inner) for name, inner in names.items() if name in value}


def owned_item(item: Any, fields: dict[str, Any]) -> list[Any]:
    """An item of a list, as [item] or [], found by its keys or by its value."""
    for key, inner in fields.items():
        kind, _colon, text = key.partition(":")
        if kind == "v" and json.loads(text) == item:
            return [item]
        if kind == "k" and all(item.get(name) == value for name, value in json.loads(text).items()):
            return [{**json.loads(text), **owned(item, inner)}]
    return []


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"applied_by": applied_by}
