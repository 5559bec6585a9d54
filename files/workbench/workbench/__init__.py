# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a workbench besides JupyterLab, the service and its trainer."""
