# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Open Data Hub operator, its notebook controller and KServe's controller."""
