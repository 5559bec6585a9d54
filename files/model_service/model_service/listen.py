# SPDX-License-Identifier: GPL-3.0-or-later
"""How every server in this image listens."""

from starlette.applications import Starlette


def listen(app: Starlette, port: int, shutdown_seconds: int) -> None:
    """Until SIGTERM; then finishes what was taken."""
    import uvicorn

    server = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - in its container, kubelet and Knative call it from outside
        port=port,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=120,  # longer than the proxies in front of it keep theirs, or they lose requests
        timeout_graceful_shutdown=shutdown_seconds,
    )
    uvicorn.Server(server).run()
