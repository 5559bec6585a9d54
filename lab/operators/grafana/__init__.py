# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the Grafana Operator v5: checks Grafana, GrafanaDatasource, GrafanaDashboard. It runs no Grafana."""
