# SPDX-License-Identifier: GPL-3.0-or-later
"""Grafana's dashboards as code: `python -m dashboards` writes the JSON that the role `dashboard` brings."""
