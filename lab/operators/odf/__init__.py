# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for OpenShift Data Foundation and its Rook over a gateway that runs elsewhere."""
