#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged files through all that the function computes on one study: it may refuse them, and do nothing worse.

    python tests/fuzz/fuzz.py --minutes 10             # another seed each round; stops at the first finding
    python tests/fuzz/fuzz.py --file finding.bin       # one file again

Each round is a process of its own with bounded memory. A finding is an error other than Refused, a crash, a file that
takes more than SECONDS of CPU, or one that needs more memory than MEMORY: the file is kept, reduced if it was an error.
"""

import argparse
import faulthandler
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVICE = HERE.parents[1] / "files" / "model_service"
sys.path[:0] = [str(SERVICE), str(SERVICE / "tests"), str(HERE)]

MAX_PIXELS = 1_000_000
SECONDS = 5  # of CPU, for a file of at most MAX_PIXELS
STUCK = 600  # seconds on the clock, for what waits without computing
MEMORY = 256 * 1024**2  # above what the process needs before the first file
OPENED = "dicom-rich", "tiff-raw", "png-L", "jpeg"  # read once before the limit is set: they load the decoders


@dataclass(frozen=True)
class Round:
    """How one process ended; `data` is the file that ended it, and `text` what was printed."""

    failed: bool
    data: bytes
    text: str


def examiner(folder: Path):
    """The service's own, with a key and a model made here."""
    from model_service.deidentify import Deidentifier
    from model_service.examine import Examiner
    from model_service.finding import Finder
    from model_service.model import Model, Thresholds
    from model_service.names import Names
    from model_service.policy import read_policy
    from model_service.pseudonyms import Pseudonyms
    from model_service.settings import POLICY
    from tiny_model import tiny_model

    (folder / "key").write_bytes(b"k" * 32)
    (folder / "model.onnx").write_bytes(tiny_model())
    pseudonyms = Pseudonyms(folder / "key")
    finder = Finder(Model(folder / "model.onnx"), Thresholds(), own_view_threshold=0)
    names = Names(pseudonyms, "pseudonymous", "-processed", "-anonymized")
    return Examiner(finder, names, Deidentifier(read_policy(POLICY), pseudonyms), MAX_PIXELS)


class Target:
    """Takes one file after the other; what is in `current` when the process dies is the file that killed it."""

    def __init__(self, folder: Path) -> None:
        from model_service.events import Study

        self.current = folder / "current"
        self.examiner = examiner(folder)
        self.study = Study("xray-source", "ward 3/a file.bin", "e1")
        self.place = self.examiner.names.place(self.study)
        self.files = self.refused = 0

    def __call__(self, data: bytes) -> None:
        from model_service.errors import Refused
        from model_service.metrics import Progress

        self.current.write_bytes(data)
        self.files += 1
        used = int(time.process_time()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used + SECONDS, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_REAL, STUCK)
        try:
            self.examiner.examine(self.study, self.place, data, Progress())
        except Refused:
            self.refused += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def child(folder: Path, seed: int, files: int) -> None:
    """One round, in this process. Ends with an error or a signal if there is a finding."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from mutations import files as damaged
    from seeds import seeds

    # Signals, not faulthandler's own watchdog: that starts a thread for each file, which fails near the memory limit.
    for deadly in (signal.SIGXCPU, signal.SIGALRM):
        faulthandler.register(deadly, chain=True)
    made, target = seeds(), Target(folder)
    for name in OPENED:
        target(made[name])
    limit_memory()
    for data in made.values():
        target(data)

    @seeded(seed)
    @settings(
        max_examples=files, deadline=None, database=None, derandomize=False, print_blob=False,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(damaged(made))
    def search(data: bytes) -> None:
        target(data)

    search()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{target.files} files, {target.refused} refused, peak {peak:.0f} MiB")


def run_round(seed: int, files: int) -> Round:
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-X", "faulthandler", __file__, "--child", name, "--seed", str(seed)]
        command += ["--files", str(files)]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        current = Path(name) / "current"
        data = current.read_bytes() if current.exists() else b""
    failed = done.returncode != 0  # libtiff complains to stderr about most of what it gets
    return Round(failed, data, done.stdout + (done.stderr[-4000:] if failed else ""))


def search_for(minutes: float, seed: int, files: int, findings: Path) -> int:
    begin = time.monotonic()
    while time.monotonic() - begin < 60 * minutes:
        found = run_round(seed, files)
        print(f"seed {seed}, {time.monotonic() - begin:.0f} s: {found.text.strip()}", flush=True)
        if found.failed:
            findings.mkdir(parents=True, exist_ok=True)
            (kept := findings / f"seed-{seed}.bin").write_bytes(found.data)
            print(f"kept as {kept}: python {sys.argv[0]} --file {kept}")
            return 1
        seed += 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first round's; default: the time")
    parser.add_argument("--files", type=int, default=2000, help="in a round")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what is found")
    parser.add_argument("--file", type=Path, help="run this one file, in this process")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.seed, asked.files)
    elif asked.file:
        with tempfile.TemporaryDirectory() as name:
            Target(Path(name))(asked.file.read_bytes())
    else:
        return search_for(asked.minutes, asked.seed, asked.files, asked.findings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
