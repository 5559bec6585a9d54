#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a running lab against their goals: memory, idle CPU, and a second site.yml, also beside kubectl and boto3.

Prints `figure: value (goal), ratio value/goal`; judges nothing. The lab must be up and otherwise idle.
`--restart` also stops the lab and times the way from nothing running to the first scored X-ray.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("LAB_HOME", "/var/lib/xraylab"))
ADMIN = HOME / "admin.kubeconfig"
sys.path[:0] = [str(ROOT / "tests" / "e2e")]
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


def show(figure: str, value: float, unit: str, goal: float) -> None:
    print(f"{figure}: {value:.2f} {unit} (goal {goal:g}), ratio {value / goal:.2f}", flush=True)


@dataclass(frozen=True)
class Run:
    seconds: float
    tasks: int
    changed: int


def play(playbook: str, *more: str) -> Run:
    begin = time.monotonic()
    command = ["ansible-playbook", playbook, "-i", "inventories/lab", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"{playbook} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    ran = sum(map(int, re.findall(r"(?:ok|skipped)=(\d+)", done.stdout)))
    return Run(seconds, ran, sum(map(int, re.findall(r"changed=(\d+)", done.stdout))))


def nothing_to_change() -> None:
    """A second site.yml, and what it does by kubectl and boto3, which nothing could be faster than."""
    import by_hand
    from api_proxy import counted
    from conftest import Facility

    site = play("site.yml")
    show("site.yml again", site.seconds, "s", 60)
    print(f"site.yml again: changed={site.changed} (goal 0), {site.tasks} tasks")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with counted(ADMIN, folder) as asked:
            play("site.yml", "-e", f"xraylab_kubeconfig={asked.kubeconfig}")
        by_kubectl = by_hand.apply(ADMIN, asked.applied, folder)
        with counted(ADMIN, folder) as direct:
            by_hand.apply(direct.kubeconfig, asked.applied, folder)
    in_the_store, looks = by_hand.look_at_the_store(Facility())
    print(f"site.yml again: {len(asked.requests)} API requests, the most frequent:\n{asked.most()}")
    print(f"kubectl: {by_kubectl:.2f} s and {len(direct.requests)} API requests for its {len(asked.applied)} manifests")
    print(f"boto3: {in_the_store:.2f} s and {looks} requests to the object store")
    show("site.yml again, against both", site.seconds / (by_kubectl + in_the_store), "times", 2)
    show("validate.yml", play("playbooks/validate.yml").seconds, "s", 60)


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
    nothing_to_change()
    time.sleep(60)  # the function scales to zero
    before = lab_processes()
    used, begin = cpu_seconds(before), time.monotonic()
    time.sleep(options.idle_seconds)
    show("idle CPU", (cpu_seconds(before) - used) / (time.monotonic() - begin), "cores", 0.5)
    show("resident memory (PSS)", resident_mib(before, "Pss") / 1024, "GiB", 8)
    show("resident memory (RSS)", resident_mib(before, "Rss") / 1024, "GiB", 8)


if __name__ == "__main__":
    main()
