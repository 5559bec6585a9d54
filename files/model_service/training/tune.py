# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tunes the network from a linear classifier on its ImageNet features, in a fixed number of steps.

Batch norms stay as they were (they are folded into the weights), the first blocks are frozen, every parameter moves in
proportion to its own size, and a running average of the weights is kept beside them. Stopped, it goes on from its last
checkpoint.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from .changes import varied
from .data import Sample
from .net import Net
from .pictures import Pixels
from .recipe import Recipe, draw_rows, schedule

KEEP_EVERY = 50  # steps between checkpoints, one or two minutes


@dataclass
class Tuned:
    """The weights' running average, and (step, loss) along the way."""

    net: Net
    curve: list[tuple[int, float]]


class Batches:
    """Varied pictures by step, made ahead by another process. The same step gives the same batch."""

    def __init__(self, samples: Sequence[Sample], larger: Sequence[Pixels], recipe: Recipe) -> None:
        self.samples, self.larger, self.recipe = samples, larger, recipe

    def make(self, step: int) -> tuple[Pixels, NDArray[np.float32]]:
        rows = draw_rows(self.samples, self.recipe, step)
        dice = np.random.default_rng([self.recipe.seed, step, 2])
        pixels = np.stack([np.asarray(varied(Image.fromarray(self.larger[row]), dice)) for row in rows])
        return pixels, np.array([self.samples[row].pneumonia for row in rows], np.float32)

    def ahead(self, first: int, pool: ProcessPoolExecutor, depth: int = 6) -> Iterator[tuple[Pixels, Any]]:
        waiting = [pool.submit(make, step) for step in range(first, min(first + depth, self.recipe.steps))]
        for step in range(first, self.recipe.steps):
            if step + depth < self.recipe.steps:
                waiting.append(pool.submit(make, step + depth))
            yield waiting.pop(0).result()


BATCHES: list[Batches] = []  # what a forked process finds without copying half a gigabyte


def make(step: int) -> tuple[Pixels, NDArray[np.float32]]:
    return BATCHES[-1].make(step)


def tune(
    start: dict[str, NDArray[Any]], weights: NDArray[np.float64], bias: float, batches: Batches, folder: Path
) -> Tuned:
    """Fine-tune from `start` and the linear classifier (weights, bias); checkpoints go to `folder`."""
    recipe = batches.recipe
    BATCHES.append(batches)
    with ProcessPoolExecutor(1) as pool:
        pool.submit(make, 0).result()  # fork before PyTorch starts its threads
        net, average = Net(start, recipe.frozen), Net(start, recipe.frozen)
        for each in (net, average):
            with torch.no_grad():
                each.classifier.weight.copy_(torch.from_numpy(weights[None].astype(np.float32)))
                each.classifier.bias.fill_(bias)
        optimizer = torch.optim.AdamW(parameter_groups(net, recipe), weight_decay=recipe.decay)
        kept = folder / f"tuned-{name_of(batches)}.pt"
        first, curve = restore(kept, net, average, optimizer)
        progress = Progress(first, recipe.steps)
        for step, (pixels, truth) in enumerate(batches.ahead(first, pool), first):
            for group in optimizer.param_groups:
                group["lr"] = group["size"] * recipe.rate * schedule(step, recipe)
            loss = one_step(net, pixels, truth, recipe, step)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            follow(average, net, min(recipe.averaging, (step + 1) / (step + 10)))
            curve.append((step, loss.item()))
            progress.show(step, loss.item())
            if (step + 1) % KEEP_EVERY == 0 or step + 1 == recipe.steps:
                keep(kept, step + 1, net, average, optimizer, curve)
    return Tuned(average.eval(), curve)


def one_step(net: Net, pixels: Pixels, truth: NDArray[np.float32], recipe: Recipe, step: int) -> torch.Tensor:
    """The loss of a batch, each picture mixed with another one of it."""
    dice = np.random.default_rng([recipe.seed, step, 3])
    torch.manual_seed(step)
    share = float(max(draw := dice.beta(recipe.mixing, recipe.mixing), 1 - draw))
    gray, target = torch.from_numpy(pixels[:, None].astype(np.float32)), torch.from_numpy(truth)
    target = target * (1 - recipe.smoothing) + recipe.smoothing / 2
    other = torch.from_numpy(dice.permutation(len(truth)))
    gray, target = share * gray + (1 - share) * gray[other], share * target + (1 - share) * target[other]
    features = functional.dropout(net(gray), recipe.dropout, training=True)
    return functional.binary_cross_entropy_with_logits(net.classifier(features)[:, 0], target)


def parameter_groups(net: Net, recipe: Recipe) -> list[dict[str, Any]]:
    """One for each tensor: folded batch norms leave tensors of very different size, so each gets a rate of its own."""
    return [
        {"params": [value], "size": max(float(value.detach().square().mean().sqrt()), 1e-3), "lr": 0.0}
        for value in net.trained().values()
    ]


def follow(average: Net, net: Net, share: float) -> None:
    with torch.no_grad():
        for ours, theirs in zip(average.trained().values(), net.trained().values(), strict=True):
            ours.lerp_(theirs, 1 - share)


def name_of(batches: Batches) -> str:
    images = sorted(f"{sample.sha256} {sample.pneumonia}" for sample in batches.samples)
    text = json.dumps([asdict(batches.recipe), images])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def keep(file: Path, steps: int, net: Net, average: Net, optimizer: torch.optim.Optimizer, curve: list[Any]) -> None:
    state = {
        "steps": steps, "net": net.state_dict(), "average": average.state_dict(),
        "optimizer": optimizer.state_dict(), "curve": curve,
    }  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, part := file.with_suffix(".part"))
    part.rename(file)


def restore(file: Path, net: Net, average: Net, optimizer: torch.optim.Optimizer) -> tuple[int, list[Any]]:
    if not file.exists():
        return 0, []
    state = torch.load(file)
    net.load_state_dict(state["net"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    print(f"training goes on from step {state['steps']} ({file})", file=sys.stderr)
    return state["steps"], state["curve"]


class Progress:
    """A line every twenty steps: how far, how fast, how long still."""

    def __init__(self, first: int, steps: int) -> None:
        self.first, self.steps, self.start = first, steps, time.monotonic()

    def show(self, step: int, loss: float) -> None:
        done = step + 1 - self.first
        if done % 20 and step + 1 < self.steps:
            return
        rate = done / (time.monotonic() - self.start)
        left = (self.steps - step - 1) / rate / 60
        print(f"  step {step + 1} of {self.steps}, loss {loss:.3f}, {rate:.2f} steps/s, {left:.1f} min left",
              file=sys.stderr, flush=True)  # fmt: skip
