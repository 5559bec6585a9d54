# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compares versions by their numbers, for ranges such as ">=2.16,<2.22". Pure."""

from __future__ import annotations

import operator
import re

LEADING = re.compile(r"v?(\d+(?:\.\d+)*)")
BOUND = re.compile(r"(>=|<=|==|>|<)\s*([\w.]+)")
NAME = re.compile(r"\s*([\w.-]+)\s*(.*)")
COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}


def numbers(version: str) -> tuple[int, ...]:
    """What follows the numbers does not count, nor do zeros at the end."""
    found = LEADING.match(version)
    parts = [int(part) for part in found[1].split(".")] if found else []
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def within(version: str, span: str) -> bool:
    return all(COMPARE[sign](numbers(version), numbers(bound)) for sign, bound in BOUND.findall(span))


def above(version: str, span: str) -> bool:
    """Whether the version is too new for the range, rather than too old."""
    return any(
        sign.startswith("<") and not COMPARE[sign](numbers(version), numbers(bound))
        for sign, bound in BOUND.findall(span)
    )


def split(requirement: str) -> tuple[str, str]:
    """Name and range of a line of requirements.txt."""
    found = NAME.match(requirement)
    return (found[1], found[2]) if found else (requirement, "")
