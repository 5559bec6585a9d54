#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the lab's products: binaries, jars, manifests and container images, each once for the same inputs.

A product is a script build/<name>.sh, called with the folder to fill. The first lines of the script may hold
  # inputs: <paths under lab/>     hashed into the product's key, besides the script itself
  # needs: <products>              built before; their folders are $NEED_<NAME>
  # image                          the folder is a build context: it becomes the image <name>
  # images: <names>                as many build contexts, one subfolder each
  # lane: go                       uses both cores: one such script at a time
  # only when named                not among "all", only in the call that names it
Results lie in $LAB_CACHE/products/<name>/<key> and serve every checkout. $LAB_HOME gets products.env (where each
product lies) and images.sed and images.list (the
reference of each image and its OCI layout). This file knows nothing of what is built.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LAB = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("LAB_CACHE", "/var/cache/xraylab"))
HOME = Path(os.environ.get("LAB_HOME", "/var/lib/xraylab"))
REGISTRY = os.environ["REGISTRY"]
LANES = {"go": threading.Semaphore(1), "": threading.Semaphore(3)}


class BuildError(Exception):
    """A product could not be built; the message names its log."""


@dataclass
class Product:
    """One build script and what its header says."""

    name: str
    script: Path
    inputs: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    lane: str = ""
    on_demand: bool = False
    key: str = ""

    @property
    def folder(self) -> Path:
        return CACHE / "products" / self.name / self.key

    @property
    def built(self) -> bool:
        return self.folder.is_dir()

    def context(self, image: str, folder: Path) -> Path:
        return folder if image == self.name else folder / image

    def reference(self, image: str) -> str:
        return f"{REGISTRY}/lab/{image}:{self.key}"


def read_product(script: Path) -> Product:
    """The product that a script's header describes."""
    product = Product(script.stem, script)
    for line in script.read_text().splitlines()[:12]:
        if match := re.fullmatch(r"# (inputs|needs|images): (.+)", line):
            getattr(product, match[1]).extend(match[2].split())
        elif match := re.fullmatch(r"# lane: (\w+)", line):
            product.lane = match[1]
        elif line == "# only when named":
            product.on_demand = True
        elif line == "# image" or line == f"# image: {product.name}":
            product.images.append(product.name)
    return product


def input_files(product: Product) -> list[Path]:
    """Every file whose content the product depends on; a missing input is an error, not an empty hash."""
    files = [product.script]
    for name in product.inputs:
        path = (LAB / name).resolve()
        if not path.exists():
            raise BuildError(f"{product.script}: its header names the input {name!r}, which does not exist under {LAB}")
        files += [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and relevant(p))
    return files


def relevant(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix != ".pyc"


def order(products: dict[str, Product]) -> list[Product]:
    """The products, each after what it needs, with their keys set."""
    done: dict[str, Product] = {}

    def visit(product: Product, chain: tuple[str, ...]) -> None:
        if product.name in done:
            return
        if product.name in chain:
            raise BuildError(f"products need each other in a circle: {' -> '.join([*chain, product.name])}")
        for need in product.needs:
            if need not in products:
                raise BuildError(f"{product.script}: needs {need!r}, but there is no build/{need}.sh")
            visit(products[need], (*chain, product.name))
        digest = hashlib.sha256()
        for path in input_files(product):
            digest.update(f"{os.path.relpath(path, LAB)}\0".encode() + path.read_bytes())
        for need in product.needs:
            digest.update(products[need].key.encode())
        product.key = digest.hexdigest()[:12]
        done[product.name] = product

    for product in products.values():
        visit(product, ())
    return list(done.values())


@contextmanager
def alone(product: Product) -> Iterator[None]:
    """Two checkouts share one cache: the second waits for the product that the first builds."""
    product.folder.parent.mkdir(parents=True, exist_ok=True)
    with (product.folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(product: Product, products: dict[str, Product]) -> float:
    """Makes a product unless somebody else has just done so; seconds it took without waiting for others."""
    with alone(product):
        return 0.0 if product.built else make(product, products)


def make(product: Product, products: dict[str, Product]) -> float:
    """Runs a product's script into its folder and makes its images; seconds it took without waiting for its lane."""
    log = HOME / "log" / f"build-{product.name}.log"
    partial = product.folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    environment = os.environ | {
        f"NEED_{need.upper().replace('-', '_')}": str(products[need].folder) for need in product.needs
    }
    if "python" in product.needs:
        environment["BASE_IMAGE"] = f"oci:{products['python'].folder}/image"

    def run(*command: str | Path) -> None:
        with log.open("ab") as out:
            status = subprocess.run(
                ["bash", "-euo", "pipefail", *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, cwd=LAB, check=False,
            )  # fmt: skip
        if status.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            raise BuildError(f"{command[0]} ended with {status.returncode}; the end of {log}:\n{tail}")

    log.write_bytes(b"")
    with LANES[product.lane]:
        begin = time.monotonic()
        run(product.script, partial)
    with ThreadPoolExecutor(2) as pool:
        for image in [
            pool.submit(run, LAB / "image.sh", product.context(name, partial), product.reference(name))
            for name in product.images
        ]:
            image.result()
    os.replace(partial, product.folder)
    return time.monotonic() - begin


def build_all(ordered: list[Product]) -> None:
    """Builds what is missing, as much at once as the lanes allow."""
    products = {p.name: p for p in ordered}
    todo = [p for p in ordered if not p.built]
    pending = list(todo)
    running: dict[Future[float], Product] = {}
    finished = 0
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        while pending or running:
            for product in [p for p in pending if all(products[n].built for n in p.needs)]:
                pending.remove(product)
                running[pool.submit(build, product, products)] = product
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                product = running.pop(future)
                try:
                    seconds = future.result()
                except BaseException:
                    pending.clear()
                    raise
                finished += 1
                progress = f"{finished} of {len(todo)}, {time.monotonic() - begin:.0f} s"
                print(f"       built {product.name} in {seconds:.0f} s ({progress})", flush=True)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(names: list[str]) -> int:
    """Builds the named products, or all; 0 when all are there."""
    (HOME / "log").mkdir(parents=True, exist_ok=True)
    try:
        products = {p.name: p for p in map(read_product, sorted((LAB / "build").glob("*.sh")))}
        if unknown := set(names) - set(products):
            raise BuildError(f"no such product: {', '.join(sorted(unknown))}; there are {', '.join(products)}")
        ordered = order(products)
        wanted = set(names) or {name for name, product in products.items() if not product.on_demand}
        for product in reversed(ordered):
            if product.name in wanted:
                wanted |= set(product.needs)
        build_all([p for p in ordered if p.name in wanted])
    except BuildError as error:
        print(f"lab build: {error}", file=sys.stderr)
        return 1
    built = [p for p in ordered if p.built]
    write(HOME / "products.env", "".join(f"PRODUCT_{p.name.upper().replace('-', '_')}={p.folder}\n" for p in built))
    images = [(image, p) for p in built for image in p.images]
    write(HOME / "images.sed", "".join(f"s#@image:{i}@#{p.reference(i)}#g\n" for i, p in images))
    write(HOME / "images.list", "".join(f"{p.context(i, p.folder)}/image {p.reference(i)}\n" for i, p in images))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
