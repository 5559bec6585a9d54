# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's operators and its relay as they are imported in their images."""

import sys
from pathlib import Path

LAB = Path(__file__).parents[3] / "lab"
sys.path[:0] = [str(LAB), str(LAB / "operators"), str(LAB / "catalog"), str(Path(__file__).parent)]
