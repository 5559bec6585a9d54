# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What files on the control node hold, as text that is the same for the same content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: checksums
short_description: Checksums of files on the control node
version_added: 0.2.0
description:
  - Gives a line for each file, with its SHA-256 and its path, sorted. The lines are the same for the same content,
    wherever its folder lies.
  - Of a folder, all files count but what Python compiled.
positional: folder
options:
  _input:
    description: Files and folders, by their paths in O(folder).
    type: list
    elements: path
    required: true
  folder:
    description: Folder that they lie in.
    type: path
    required: true
author:
  - XRay Lab contributors (@xraylab)
"""

EXAMPLES = r"""
- name: Name an image after what it is made of
  ansible.builtin.debug:
    msg: "{{ ['Containerfile', 'src'] | xraylab.medical_diagnosis.checksums('/srv/build') | join | hash('sha256') }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def checksums(parts: list[str], folder: str) -> list[str]:
    return sorted(line for part in parts for line in lines(Path(folder), part))


def lines(folder: Path, part: str) -> Iterator[str]:
    place = folder / part
    if not place.exists():
        raise AnsibleFilterError(f"checksums: expected a file or a folder {place}, but there is none.")
    for file in [place] if place.is_file() else place.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.relative_to(folder).as_posix()}"


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"checksums": checksums}
