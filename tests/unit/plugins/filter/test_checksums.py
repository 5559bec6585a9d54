# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.xraylab.medical_diagnosis.plugins.filter.checksums import checksums

FILES = {"Containerfile": b"FROM x", "src/a.py": b"a", "src/.hidden": b"", "src/deep/b.py": b"b", "tests/t.py": b"t"}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_each_file_is_a_line_by_its_content_and_its_place(folder):
    names = ["Containerfile", "src/a.py", "src/.hidden", "src/deep/b.py"]
    expected = sorted(f"{hashlib.sha256(FILES[name]).hexdigest()} {name}" for name in names)
    assert checksums(["src", "Containerfile"], str(folder)) == expected


def test_another_content_or_another_name_is_another_line(folder):
    before = checksums(["src"], str(folder))
    (folder / "src" / "a.py").write_bytes(b"c")
    changed = checksums(["src"], str(folder))
    (folder / "src" / "a.py").rename(folder / "src" / "c.py")
    renamed = checksums(["src"], str(folder))
    assert len({tuple(before), tuple(changed), tuple(renamed)}) == 3


def test_what_python_compiled_does_not_count(folder):
    before = checksums(["src"], str(folder))
    (folder / "src" / "__pycache__").mkdir()
    (folder / "src" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    assert checksums(["src"], str(folder)) == before


def test_a_part_that_is_not_there_is_named(folder):
    with pytest.raises(AnsibleFilterError, match=f"a file or a folder {folder}/gone"):
        checksums(["gone"], str(folder))
