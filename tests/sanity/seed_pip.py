# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets ansible-test make its virtual environments where only package registries can be reached.

ansible-test downloads a script that brings pip into an empty environment. This writes one in its place that uses the
pip which Python carries, to the cache where ansible-test looks first; pip then gets the wanted version by itself.
Run it before ansible-test, with the Python that ansible-test runs with.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

CACHE = Path.home() / ".ansible/test/cache"
BOOTSTRAP = '''"""Made by tests/sanity/seed_pip.py: stands in for get-pip."""
import subprocess
import sys

# In a process of its own: ensurepip makes pip deaf to its configuration.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
'''


def pip_versions() -> set[str]:
    """Every version of pip that the installed ansible-test may ask for."""
    found = importlib.util.find_spec("ansible_test")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("ansible-test is not installed in this Python: run pip install ansible-core.")
    source = Path(found.submodule_search_locations[0], "_internal/python_requirements.py").read_text(encoding="utf-8")
    return set(re.findall(r"""pip['"]?\s*[=:]\s*['"]([0-9.]+)['"]""", source))


def main() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    for version in pip_versions():
        script = CACHE / f"get_pip_{version.replace('.', '_')}.py"
        if not script.exists():
            script.write_text(BOOTSTRAP, encoding="utf-8")


if __name__ == "__main__":
    main()
