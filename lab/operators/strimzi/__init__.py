# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for Strimzi's cluster, topic and user operators: the same custom resources, a real KRaft broker behind."""
