# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds the words for a person in an error that libraries have wrapped. Pure."""

from __future__ import annotations

import re

OBJECT = re.compile(r"^(?:<[^>]*>|\w+\([^)]*\)): ")


def root_cause(error: BaseException) -> str:
    """The innermost reason in one line, such as "Connection refused", without what the wrappers repeat around it."""
    while True:
        inner = (getattr(error, "reason", None), *error.args, error.__cause__)
        found = next((part for part in inner if isinstance(part, BaseException)), None)
        if found is None:
            break
        error = found
    text = (
        getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
    )
    return OBJECT.sub("", text.strip().splitlines()[0])
