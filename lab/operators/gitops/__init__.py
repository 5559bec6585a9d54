# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the operator of OpenShift GitOps; the Argo CD that it runs is the real one."""
