# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from decimal import Decimal

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _quantities as quantities
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import BadValue


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("250m", "0.25"), ("1Ki", "1024"), ("1k", "1000"), (2, "2"), ("0.5", "0.5"), ("1e3", "1000"), ("3Gi", 3 * 2**30)],
)
def test_quantities_are_read(quantity, amount):
    assert quantities.amount(quantity) == Decimal(amount)


@pytest.mark.parametrize("quantity", ["lots", "", "1GB", "1ki", "-", None])
def test_what_is_no_quantity_is_told(quantity):
    with pytest.raises(BadValue, match="a Kubernetes quantity such as 250m or 384Mi was expected"):
        quantities.amount(quantity)


@pytest.mark.parametrize(
    ("resource", "quantity", "told"),
    [
        ("cpu", "275m", "0.275 CPU"),
        ("limits.memory", "1536Mi", "1.5 GiB of memory"),
        ("memory", "384Mi", "384 MiB of memory"),
        ("fast.storageclass.storage.k8s.io/requests.storage", "2Gi", "2 GiB of storage"),
        ("pods", 3, "3 pods"),
    ],
)
def test_amounts_are_told(resource, quantity, told):
    assert quantities.say(resource, quantities.amount(quantity)) == told
