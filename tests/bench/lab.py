#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a running lab against their goals: memory, idle CPU, a second site.yml and its API requests.

Prints `figure: value (goal), ratio value/goal`; judges nothing. The lab must be up and otherwise idle.
`--restart` also stops the lab and times the way from nothing running to the first scored X-ray.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("LAB_HOME", "/var/lib/xraylab"))
TICKS = os.sysconf("SC_CLK_TCK")


def lab_processes() -> set[int]:
    """The lab's processes: what its supervisor started, their children, and everything in a pod."""
    started = {int(f.read_text().split()[0]) for f in (HOME / "run").glob("*.pid")}
    children: dict[int, set[int]] = {}
    pods = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            pid, parent = int(entry.name), int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes()
            if "/kubepods" in (entry / "cgroup").read_text() or f"{HOME}/run/containerd.sock".encode() in command:
                pods.add(pid)
        except (OSError, ValueError):
            continue
        children.setdefault(parent, set()).add(pid)
    found, todo = set(), started | pods
    while todo:
        pid = todo.pop()
        found.add(pid)
        todo |= children.get(pid, set()) - found
    return found


def resident_mib(pids: set[int], field: str) -> float:
    """Sum of `Rss` (pages counted in each process) or `Pss` (shared pages counted once), MiB."""
    total = 0
    for pid in pids:
        try:
            total += int(re.search(rf"^{field}:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
        except (OSError, TypeError):
            continue
    return total / 1024


def cpu_seconds(pids: set[int]) -> float:
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def api_requests() -> float:
    """Requests that the API server has answered since it began, watches and long-lived ones included."""
    command = [HOME / "bin" / "kubectl", "--kubeconfig", HOME / "admin.kubeconfig", "get", "--raw", "/metrics"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("apiserver_request_total{")
    )


def show(figure: str, value: float, unit: str, goal: float) -> None:
    print(f"{figure}: {value:.2f} {unit} (goal {goal:g}), ratio {value / goal:.2f}", flush=True)


def run_site() -> tuple[float, int]:
    """Seconds and changed tasks of one more site.yml."""
    begin = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "site.yml", "-i", "inventories/lab"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"site.yml failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return seconds, sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restart", action="store_true", help="stop the lab and time its start")
    parser.add_argument("--idle-seconds", type=float, default=60)
    options = parser.parse_args()
    if options.restart:
        subprocess.run([ROOT / "lab/down"], check=True)
        begin = time.monotonic()
        subprocess.run([ROOT / "lab/up"], check=True)
        subprocess.run([ROOT / "lab/deploy"], check=True)
        show("cached: nothing running to first scored X-ray", (time.monotonic() - begin) / 60, "min", 5)
    asked = api_requests()
    seconds, changed = run_site()
    asked = api_requests() - asked
    show("site.yml again", seconds, "s", 60)
    print(f"site.yml again: changed={changed} (goal 0)")
    time.sleep(60)  # the function scales to zero
    before, own = lab_processes(), api_requests()
    used, begin = cpu_seconds(before), time.monotonic()
    time.sleep(options.idle_seconds)
    own = (api_requests() - own) / options.idle_seconds * seconds
    print(f"site.yml again: {asked - own:.0f} API requests, besides {own:.0f} that the idle lab makes in that time")
    show("idle CPU", (cpu_seconds(before) - used) / (time.monotonic() - begin), "cores", 0.5)
    show("resident memory (PSS)", resident_mib(before, "Pss") / 1024, "GiB", 8)
    show("resident memory (RSS)", resident_mib(before, "Rss") / 1024, "GiB", 8)


if __name__ == "__main__":
    main()
