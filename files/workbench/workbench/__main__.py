# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m workbench`: JupyterLab as Open Data Hub expects it of a workbench, with the notebook at hand."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parent.parent / "retrain.ipynb"


def main() -> None:
    home = Path.cwd()
    if not (home / NOTEBOOK.name).exists():  # whoever works here may have changed it
        shutil.copyfile(NOTEBOOK, home / NOTEBOOK.name)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *arguments(os.environ, home)])  # noqa: S606


def arguments(environment: Mapping[str, str], home: Path) -> list[str]:
    """NB_PREFIX is the notebook controller's word, NOTEBOOK_ARGS the site's; Jupyter itself reads JUPYTER_TOKEN."""
    return [
        "--no-browser",
        "--ServerApp.ip=0.0.0.0",
        "--ServerApp.port=8888",
        f"--ServerApp.base_url={environment.get('NB_PREFIX', '/')}",
        f"--ServerApp.root_dir={home}",
        *shlex.split(environment.get("NOTEBOOK_ARGS", "")),
    ]


if __name__ == "__main__":
    main()
