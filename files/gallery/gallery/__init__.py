# SPDX-License-Identifier: GPL-3.0-or-later
"""The live web page of a facility: what arrives, what was assessed, what became of it. Reads, and never writes."""
