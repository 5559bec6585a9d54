# SPDX-License-Identifier: GPL-3.0-or-later
"""The risk assessment function: an S3 event comes in, a scored chest X-ray and its result go out."""
