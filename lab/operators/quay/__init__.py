# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Quay operator and for Quay's API, over a real OCI registry."""
