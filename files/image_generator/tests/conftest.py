# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the generator and the function's package (for its decoders) on the path."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2] / "model_service")]
