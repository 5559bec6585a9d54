# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress bar, with a module's part played by a thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.action import study_upload
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _uploading


@pytest.fixture
def shown(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(study_upload.display, "display", lines.append)
    monkeypatch.setattr(study_upload, "LOOK_SECONDS", 0.01)
    return lines


def test_each_step_is_one_line_and_the_last_look_is_not_repeated(shown, tmp_path, monkeypatch):
    told = iter([(0, 200), (19, 200), (20, 200), (25, 200), (120, 200), (120, 200)])
    over = threading.Event()

    def read(_progress: str) -> tuple[int, int]:
        found = next(told, None)
        if found is None:
            over.set()
        return found or (120, 200)

    monkeypatch.setattr(study_upload, "read", read)
    with ThreadPoolExecutor(1) as pool:
        study_upload.watch(pool.submit(over.wait, 30), str(tmp_path / "progress"), "clinic")
    assert shown == [
        "[clinic] |###...........................| 20 of 200 X-rays, 10 %",
        "[clinic] |##################............| 120 of 200 X-rays, 60 %",
    ]


def test_what_the_module_writes_is_read(tmp_path):
    path = str(tmp_path / "progress")
    assert study_upload.read(path) == (0, 0)
    _uploading.write_progress(path, 12, 200)
    assert study_upload.read(path) == (12, 200)


@pytest.mark.parametrize("text", ["", "12", "a b", "1 2 3"])
def test_what_is_no_progress_counts_as_none(tmp_path, text):
    path = tmp_path / "progress"
    path.write_text(text)
    assert study_upload.read(str(path)) == (0, 0)


def test_progress_that_cannot_be_written_stops_nothing(tmp_path):
    _uploading.write_progress(str(tmp_path / "none" / "progress"), 1, 2)
