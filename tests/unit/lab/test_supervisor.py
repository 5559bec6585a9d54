# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's supervisor: what it starts runs on its own."""

import subprocess
from pathlib import Path

LAB = Path(__file__).parents[3] / "lab"
SCRIPT = """set -euo pipefail
. "$1/lib.sh"
exec 9>"$RUN/ours" 11>"$RUN/callers"
start sleeper sleep 60
trap 'stop sleeper' EXIT
wait_for 5 "it runs" grep -qz '^sleep$' "/proc/$(pid_of sleeper)/cmdline"
running sleeper
ls "/proc/$(pid_of sleeper)/fd"
"""


def test_a_daemon_holds_none_of_its_starters_files(tmp_path):
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", LAB],
        env={"RUN": str(tmp_path), "LOG": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == ["0", "1", "2"]
