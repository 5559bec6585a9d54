# SPDX-License-Identifier: GPL-3.0-or-later
"""How every stand-in watches: quietly, without events of its own, with long watches."""

from __future__ import annotations

import logging

import kopf


def watch_quietly(settings: kopf.OperatorSettings) -> None:
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    for name in ("kopf", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
