# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xraylab.medical_diagnosis.plugins.filter.applied_by import applied_by

SERVICE = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {
        "name": "f",
        "namespace": "n",
        "generation": 3,
        "labels": {"ours": "1", "theirs": "2"},
        "managedFields": [
            {"manager": "controller", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {
                "manager": "xraylab",
                "operation": "Apply",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:ours": {}}},
                    "f:spec": {
                        "f:template": {
                            "f:spec": {
                                "f:containers": {},
                                "f:timeoutSeconds": {},
                                "f:ports": {'k:{"port":80}': {".": {}, "f:port": {}, "f:name": {}}},
                                "f:finalizers": {'v:"a"': {}},
                                "f:gone": {},
                            }
                        }
                    },
                },
            },
        ],
    },
    "spec": {
        "template": {
            "spec": {
                "containers": [{"image": "i", "added": True}],
                "timeoutSeconds": 120,
                "enableServiceLinks": False,
                "ports": [{"port": 80, "name": "http", "added": 1}, {"port": 81}],
                "finalizers": ["b", "a"],
            }
        },
        "traffic": [{"latestRevision": True, "percent": 100}],
    },
    "status": {"url": "u"},
}


def test_only_what_the_manager_applied_is_left():
    assert applied_by(SERVICE, "xraylab") == {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "f", "namespace": "n", "labels": {"ours": "1"}},
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"image": "i", "added": True}],
                    "timeoutSeconds": 120,
                    "ports": [{"port": 80, "name": "http"}],
                    "finalizers": ["a"],
                }
            }
        },
    }


@pytest.mark.parametrize(
    ("manager", "seen"), [("kubectl", "controller, xraylab"), ("controller", "controller, xraylab")]
)
def test_a_manager_that_applied_nothing_is_an_error(manager, seen):
    with pytest.raises(AnsibleFilterError, match=f"expected {manager} among those who applied Service f, seen: {seen}"):
        applied_by(SERVICE, manager)
