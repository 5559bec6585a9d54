# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the code of the lab's import controller against a control plane, with a look a second.

importer.py FOLDER OCM SERVER
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab" / "operators"))
from acm import imports, manifests  # noqa: E402
from acm.detach import Detacher  # noqa: E402
from acm.importer import CLUSTERS, HubApi, Importer  # noqa: E402
from strimzi.kube import path_of  # noqa: E402

TOKEN = "plane-test"


async def main(folder: Path, ocm: Path, server: str) -> None:
    manifests.FOLDER = folder / "manifests"
    shutil.copytree(ocm / "operator", manifests.FOLDER)
    token = folder / "importer.token"
    token.write_text(TOKEN)
    api = HubApi(server, token, folder / "ca.crt", "importer")
    importer = Importer(api, "ocm", server, (folder / "ca.crt").read_text())
    detacher = Detacher(importer)
    while True:
        try:
            await look(api, importer, detacher)
        except Exception:
            traceback.print_exc()
        await asyncio.sleep(1)


async def look(api: HubApi, importer: Importer, detacher: Detacher) -> None:
    clusters = {entry["metadata"]["name"]: entry for entry in await api.all(CLUSTERS, "managedclusters")}
    await importer.approve_all(clusters)
    for name in clusters:
        cluster = await api.get(path_of(CLUSTERS, "managedclusters", name=name))
        try:
            await tend(cluster, importer, detacher)
        except Exception:
            traceback.print_exc()


async def tend(cluster: dict | None, importer: Importer, detacher: Detacher) -> None:
    if not cluster:
        return
    if not cluster["metadata"].get("deletionTimestamp"):
        await importer.tend(cluster)
    elif imports.FINALIZER in (cluster["metadata"].get("finalizers") or []):
        await detacher.step(cluster)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
