# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m gallery`: serve until SIGTERM."""

import asyncio
import logging
import os
import signal
import sys

from model_service.logs import set_up_logs

from .settings import Settings, SettingsError, read_settings


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    set_up_logs()
    try:
        asyncio.run(serve(read_settings(os.environ)))
    except SettingsError as error:
        logging.getLogger("gallery").error(str(error))
        return 2
    return 0


async def serve(settings: Settings) -> None:
    """Raises SettingsError before the socket is opened."""
    import uvicorn

    from .app import Gallery
    from .database import Database
    from .pictures import S3Store
    from .sessions import read_signer

    database = Database(settings.results)
    signer, store = read_signer(settings.secrets), S3Store(settings)
    gallery = Gallery(settings, signer, database, database.connect, store)
    config = uvicorn.Config(
        gallery.app(), host=settings.host, port=settings.port, ws="none", log_config=None, access_log=False,
        # Watchers stay connected for ever; they come back by themselves.
        timeout_graceful_shutdown=3, timeout_keep_alive=75, proxy_headers=False, server_header=False,
    )  # fmt: skip
    try:
        await uvicorn.Server(config).serve()
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
