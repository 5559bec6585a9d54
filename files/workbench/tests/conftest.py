# SPDX-License-Identifier: GPL-3.0-or-later
"""The workbench as it is imported in its image."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
