# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong with a Kubernetes API server, for those who must not know its client. Pure."""

from __future__ import annotations


class ClusterError(Exception):
    """A sentence on what was asked of the API server, what came back and where to look."""


class Unreachable(ClusterError):
    """No answer from the API server, or one that says it is not well: it may be back soon."""


class NotThere(ClusterError):
    """The object does not exist."""
