# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for Knative's Kafka source and sink: the vendor's resources and rules, a data plane of our own.

The Kubernetes client, the work queue and the condition helpers are those of the package `strimzi` beside it.
"""
