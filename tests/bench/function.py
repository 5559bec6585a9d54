#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one study costs the function, as ratios to what cannot be avoided; judges nothing. Needs no lab.

    python tests/bench/function.py [--quick]

Costs are seconds of CPU on one pinned core (median of several runs, parts and whole in turns), because time on the
clock tells more of what else the machine does. Files are real chest X-rays where XRAYLAB_DATA has some of about the
wanted size, else made here.
"""

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "files" / "model_service"
sys.path[:0] = [str(SERVICE), str(SERVICE / "tests")]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

DATA = Path(os.environ.get("XRAYLAB_DATA", ROOT.parent / "shared" / "data")) / "kermany_original"
SIZES = (1100, 740), (1500, 1200), (2000, 1800)
GOALS = {"without": 1.5, "with": 8}


@dataclass
class Costs:
    """Milliseconds of CPU by name, one number a run."""

    runs: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.thread_time()
        try:
            yield
        finally:
            self.runs.setdefault(name, []).append(1000 * (time.thread_time() - begin))

    def of(self, *names: str) -> float:
        return sum(statistics.median(self.runs[name]) for name in names if name in self.runs)


def radiograph(width: int, height: int) -> Any:
    """A chest of sorts: two dark fields with ribs over them, and the noise that makes a JPEG as large as real ones."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    lungs = sum(np.exp(-(((x - side) / 0.13) ** 2) - (y / 0.33) ** 2) for side in (-0.2, 0.2))
    ribs = 14 * np.sin(40 * (y + x * x)) * lungs
    noise = np.random.default_rng(1).normal(0, 4, (height, width))
    return Image.fromarray((170 - 110 * lungs + ribs - 60 * np.abs(x) + noise).clip(0, 255).astype(np.uint8))


def jpeg_of(width: int, height: int) -> tuple[str, bytes]:
    """(what it is, file): the real X-ray nearest to this number of pixels, if one is within a fifth of it."""
    from PIL import Image

    wanted = width * height
    sizes = {file: Image.open(file).size for file in sorted(DATA.glob("*/*.jpeg"))}
    off = {file: abs(across * down / wanted - 1) for file, (across, down) in sizes.items()}
    if off and off[nearest := min(off, key=off.__getitem__)] < 0.2:
        across, down = sizes[nearest]
        return f"real JPEG {across} x {down}", nearest.read_bytes()
    buffer = io.BytesIO()
    radiograph(width, height).save(buffer, "JPEG", quality=85)
    return f"made JPEG {width} x {height}", buffer.getvalue()


def dicoms() -> dict[str, bytes]:
    import numpy as np
    from dicom_files import JPEG_2000, compressed, saved
    from dicom_files import radiograph as dataset_of
    from PIL import Image

    values = np.asarray(radiograph(1500, 1200)).astype(np.uint16) * 16
    plain = dataset_of(1500, 1200, PixelData=values.tobytes())
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG2000", no_jp2=True, irreversible=False)
    wavelets = compressed(dataset_of(1500, 1200), JPEG_2000, buffer.getvalue())
    return {"made DICOM 1500 x 1200": saved(plain), "the same in JPEG 2000": saved(wavelets)}


def settings(folder: Path, workers: int) -> Any:
    from model_service.settings import Settings

    (folder / "key").write_bytes(b"k" * 32)
    # What is made here is no chest X-ray; rejected, it would cost less.
    return Settings(s3_endpoint="http://store.invalid", pseudonym_key=folder / "key", workers=workers, view_threshold=0)


def run_parts(parts: Costs, data: bytes, kind: str, examiner: Any) -> None:
    """What cannot be avoided, as cheaply as the libraries do it."""
    import numpy as np
    from model_service import images
    from PIL import Image

    with parts.stage("decode"):
        if kind == "jpeg":
            image = Image.open(io.BytesIO(data))
            image.draft("L", image.size)
            gray = image.convert("L")
        else:
            gray = images.read(data, examiner.max_pixels).gray
    with parts.stage("resize"):
        small = np.asarray(gray.resize((224, 224), Image.Resampling.BILINEAR, reducing_gap=3.0), np.float32)
    with parts.stage("model"):
        examiner.finder.model.session.run(("prob", "heat", "view"), {"gray": small[None, None]})
    with parts.stage("encode"):
        if kind == "jpeg":
            gray.save(io.BytesIO(), "JPEG", quality=90)
        else:
            images.png(np.asarray(gray))


def costs_of(data: bytes, kind: str, pipeline: Any, runs: int) -> tuple[Costs, Costs]:
    """(stages of a study, unavoidable parts), measured in turns."""
    from model_service.events import Study
    from model_service.metrics import Progress

    stages, parts = Costs(), Costs()

    class Counted(Progress):
        def stage(self, name: str) -> Any:
            return stages.stage(name)

    study, examiner = Study("xray-source", f"ward 3/a.{kind}", "e1"), pipeline.examiner
    place = examiner.names.place(study)
    for run in range(runs + 1):
        if run == 1:  # the first was for warming up
            stages.runs.clear()
            parts.runs.clear()
        with stages.stage("whole"):
            examiner.examine(study, place, data, Counted())
        run_parts(parts, data, kind, examiner)
    return stages, parts


def without_text(pipeline: Any) -> Any:
    examiner = pipeline.examiner
    deidentifier = replace(examiner.deidentifier, text_boxes=None)
    return replace(pipeline, examiner=replace(examiner, deidentifier=deidentifier))


def show(figure: str, value: float, unit: str, goal: float) -> None:
    print(f"{figure}: {value:.2f}{unit} (goal {goal:g}), ratio {value / goal:.2f}", flush=True)


def show_stages(name: str, stages: Costs, parts: Costs) -> None:
    print(f"\n{name}, ms of CPU")
    whole = stages.of("whole")
    for stage in stages.runs:
        if stage != "whole":
            print(f"  {stage:<10}{stages.of(stage):8.2f}  {stages.of(stage) / whole:5.0%}")
    unavoidable = ", ".join(f"{part} {parts.of(part):.2f}" for part in parts.runs)
    print(f"  {'study':<10}{whole:8.2f}  100%   unavoidable: {unavoidable}")


def bench_one_core(runs: int) -> None:
    """All that is measured in one process on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from model_service.app import build_pipeline
    from service_fakes import MemoryStore

    with tempfile.TemporaryDirectory() as name:
        whole = build_pipeline(settings(Path(name), 1), MemoryStore())
        bare, detects = without_text(whole), whole.examiner.deidentifier.text_boxes is not None
        files = [(*jpeg_of(*size), "jpeg") for size in SIZES] + [(*item, "dcm") for item in dicoms().items()]
        for title, data, kind in files:
            stages, parts = costs_of(data, kind, bare, runs)
            show_stages(f"{title}, {len(data) // 1024} KiB, without text detection", stages, parts)
            least = parts.of("decode", "resize", "model", "encode")
            show("  study / (decode + resize + model + encode)", stages.of("whole") / least, "", GOALS["without"])
            if detects:
                stages, parts = costs_of(data, kind, whole, runs)
                show_stages(f"{title}, everything on", stages, parts)
            least = parts.of("decode", "resize", "model")
            everything = "everything on" if detects else "all but text detection, which this version has not"
            show(f"  {everything} / (decode + resize + model)", stages.of("whole") / least, "", GOALS["with"])
            drawn = stages.of("explain")
            show("  heat map, share of the rest", 100 * drawn / (stages.of("whole") - drawn), " %", 20)
            bench_original(stages.of("whole"), runs)
        bench_real(whole)


def bench_real(pipeline: Any) -> None:
    """The same over all real X-rays in their original size: the text detector's time depends on what they show."""
    files = sorted(DATA.glob("*/*.jpeg"))
    if not files:
        print(f"\nno real X-rays in {DATA}")
        return
    whole, least = [], []
    for file in files:
        stages, parts = costs_of(file.read_bytes(), "jpeg", pipeline, 1)
        whole.append(stages.of("whole"))
        least.append(parts.of("decode", "resize", "model"))
    print(f"\n{len(files)} real JPEG, everything on / (decode + resize + model)")
    show("  sum of all", sum(whole) / sum(least), "", GOALS["with"])
    show("  median", statistics.median(one / other for one, other in zip(whole, least, strict=True)), "", GOALS["with"])


def bench_original(study: float, runs: int) -> None:
    """The original demo reads its model anew for each request; here with this model."""
    import onnxruntime
    from model_service.settings import MODEL

    costs = Costs()
    for _ in range(max(3, runs // 4)):
        with costs.stage("load"):
            begin = time.process_time()
            onnxruntime.InferenceSession(MODEL.read_bytes(), providers=["CPUExecutionProvider"])
        costs.runs["load"][-1] = 1000 * (time.process_time() - begin)
    loaded = costs.of("load")
    print(f"  the original's way, its model loaded for each request: {loaded:.0f} ms more, {1 + loaded / study:.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    quick = parser.parse_args().quick
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; costs are CPU time")
    bench_one_core(5 if quick else 25)


if __name__ == "__main__":
    main()
