# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model_service`: serve until SIGTERM, then finish what was taken."""

import logging
import os
import signal
import sys
import threading

from .logs import set_up_logs
from .settings import Settings, SettingsError, read_settings


def main() -> int:
    # Until uvicorn handles it, a SIGTERM to process 1 of a container would be ignored.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # NumPy is here for arrays only; its BLAS would start a thread for each core of the machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    set_up_logs()
    try:
        serve(read_settings(os.environ))
    except SettingsError as error:
        logging.getLogger("risk_assessment").error(str(error))
        return 2
    return 0


def serve(settings: Settings) -> None:
    """Raises SettingsError before the socket is opened."""
    import uvicorn

    from .app import build_pipeline, create_app
    from .store import S3Store

    store = S3Store(settings)
    # Makes the client while the model loads: together they take what one of them takes alone.
    threading.Thread(target=store.client, daemon=True).start()
    app = create_app(build_pipeline(settings, store))
    server = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - in its container, kubelet and Knative call it from outside
        port=settings.port,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=120,  # longer than the proxies in front of it keep theirs, or they lose requests
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    uvicorn.Server(server).run()


if __name__ == "__main__":
    sys.exit(main())
