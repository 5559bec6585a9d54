# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One finding of a check: what should be, where, whether it is, what was seen instead and how to cure it. Pure."""

from __future__ import annotations

from dataclasses import dataclass


class BadValue(Exception):
    """A value of the inventory or of the cluster that is none of its kind: a sentence."""


@dataclass(frozen=True)
class Finding:
    """`ok` is None where nobody can tell, as when the user may not look."""

    where: str
    what: str
    ok: bool | None = True
    seen: str = ""
    cure: str = ""
