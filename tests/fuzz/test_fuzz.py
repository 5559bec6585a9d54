# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of the fuzzer, always the same ones; `python tests/fuzz/fuzz.py --minutes 10` goes on from there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fuzz


def test_damaged_files_are_refused_and_do_nothing_worse() -> None:
    found = fuzz.run_round(seed=1, files=300)
    assert not found.failed, f"{found.text}\nThe file, {len(found.data)} bytes: {found.data[:300]!r}"
