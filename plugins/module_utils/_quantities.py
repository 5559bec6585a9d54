# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads and writes Kubernetes quantities, such as 250m or 384Mi. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import BadValue

QUANTITY = re.compile(r"([+-]?\d+\.?\d*(?:[eE][+-]?\d+)?|[+-]?\.\d+)([numkKMGTPE]i?)?")
FACTORS = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}  # fmt: skip


def amount(quantity: Any) -> Decimal:
    found = QUANTITY.fullmatch(str(quantity).strip())
    factor = FACTORS.get(found[2] or "") if found else None
    if not found or factor is None:
        raise BadValue(f"a Kubernetes quantity such as 250m or 384Mi was expected, but it is {quantity!r}.")
    return Decimal(found[1]) * factor


def say(resource: str, value: Decimal) -> str:
    """ "0.25 CPU", "1.5 GiB of memory", "3 pods"."""
    name = resource.rpartition("/")[2].removeprefix("requests.").removeprefix("limits.")
    if name in ("memory", "storage"):
        unit, factor = ("GiB", FACTORS["Gi"]) if abs(value) >= FACTORS["Gi"] else ("MiB", FACTORS["Mi"])
        return f"{plain(value / factor)} {unit} of {name}"
    return f"{plain(value, 3)} {'CPU' if name == 'cpu' else name}"


def plain(value: Decimal, digits: int = 2) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
