# SPDX-License-Identifier: GPL-3.0-or-later
"""lab/preflight on machines that lack something: commands of its PATH tell it of such a machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PREFLIGHT = Path(__file__).resolve().parents[3] / "lab" / "preflight"
GOOD = {
    "id": "echo 0",
    "uname": "echo x86_64",
    "df": "printf 'Filesystem blocks Used Available\\nd 0 0 99999999\\n'",
    "ss": "true",
}


def run(tmp_path: Path, **commands: str) -> subprocess.CompletedProcess[str]:
    for name, script in (GOOD | commands).items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "LAB_HOME": str(tmp_path / "home"),
        "LAB_CACHE": str(tmp_path / "cache"),
    }
    return subprocess.run([PREFLIGHT], env=environment, capture_output=True, text=True, check=False)


def test_a_good_machine_passes(tmp_path):
    memory = int(next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line).split()[1])
    if memory < 12 << 20 or 'VERSION_ID="12"' not in Path("/etc/os-release").read_text():
        pytest.skip("this machine is none: Debian 12 with 12 GiB is wanted")
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("commands", "sentence"),
    [
        ({"id": "echo 1000"}, "not root"),
        ({"uname": "echo aarch64"}, "the machine is aarch64"),
        ({"df": "printf 'Filesystem blocks Used Available\\nd 0 0 2097152\\n'"}, "has 2 GiB free; the lab needs 30"),
        ({"ss": "echo LISTEN 0 1 127.0.0.1:2379 0.0.0.0:*"}, "127.0.0.1:2379: something listens"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(tmp_path, commands, sentence):
    done = run(tmp_path, **commands)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / "home").exists()


def test_all_problems_are_said_at_once(tmp_path):
    done = run(tmp_path, id="echo 1000", uname="echo aarch64")
    assert "not root" in done.stderr
    assert "aarch64" in done.stderr
