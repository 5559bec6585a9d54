# SPDX-License-Identifier: GPL-3.0-or-later
"""Demo load: X-rays that arrive as they do in a hospital, made of samples in a bucket."""
