# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes ansible_collections.xraylab.medical_diagnosis importable from a checkout in any folder.

ansible-test has the collection in place already. Plain pytest gets a folder that holds nothing but a link to the
checkout under the collection's name, before anything of it is imported.
"""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

COLLECTION = "ansible_collections.xraylab.medical_diagnosis"
CHECKOUT = Path(__file__).resolve().parents[3]


def is_importable() -> bool:
    try:
        found = importlib.util.find_spec(f"{COLLECTION}.plugins")
    except ModuleNotFoundError:
        return False
    places = (found and found.submodule_search_locations) or []
    return any(Path(place).resolve() == CHECKOUT / "plugins" for place in places)


def link_checkout() -> None:
    root = Path(tempfile.mkdtemp(prefix="xraylab-collection-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    namespace = root / "ansible_collections" / "xraylab"
    namespace.mkdir(parents=True)
    (namespace / "medical_diagnosis").symlink_to(CHECKOUT, target_is_directory=True)
    sys.path.insert(0, str(root))
    for name in ("ansible_collections", "ansible_collections.xraylab"):
        package = sys.modules.get(name)
        if package is not None:  # a namespace package keeps the path that it had at its first import
            package.__path__ = [str(root / name.replace(".", "/")), *package.__path__]


if not is_importable():
    link_checkout()
