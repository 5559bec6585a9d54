# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the dashboards' JSON into the role `dashboard`."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import last_images, operations, xray_lab

FOLDER = Path(__file__).resolve().parents[3] / "roles" / "dashboard" / "files"
DASHBOARDS = {"xray-lab": xray_lab, "last-images": last_images, "operations": operations}


def text(name: str) -> str:
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(DASHBOARDS[name].make().build()) + "\n"


if __name__ == "__main__":
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))
