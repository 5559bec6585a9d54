# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model_service`: serve until SIGTERM, then finish what was taken. See USAGE for the rest."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

from .logs import set_up_logs
from .settings import Settings, SettingsError, read_settings

USAGE = """usage: python -m model_service            serves events, set up by RISK_ASSESSMENT_* variables
       python -m model_service assess     scores image files
       python -m model_service evaluate   says how good the model is on a labelled folder
       python -m model_service predict    serves the model alone, by the Open Inference Protocol
       python -m model_service COMMAND    works on the database of results: migrate, arrivals, reconcile, letters,
                                          replay, rescore, backup or forget"""
COMMANDS = ("migrate", "arrivals", "reconcile", "letters", "replay", "rescore", "backup", "forget")
MODULES = dict.fromkeys(COMMANDS, "commands")
MODULES |= {"assess": "assess", "evaluate": "evaluate", "predict": "predict"}


def main(arguments: Sequence[str]) -> int:
    # NumPy is here for arrays only; its BLAS would start a thread for each core of the machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if not arguments:
        return run_service()
    if arguments[0] not in MODULES:
        print(USAGE, file=sys.stderr)
        return 0 if arguments[0] in ("-h", "--help") else 2
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no UTF-8
        stream.reconfigure(errors="backslashreplace")
    module = MODULES[arguments[0]]
    rest = arguments if module == "commands" else arguments[1:]
    return int(import_module(f".{module}", __package__).main(rest))


def run_service() -> int:
    # Until uvicorn handles it, a SIGTERM to process 1 of a container would be ignored.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    set_up_logs()
    try:
        serve(read_settings(os.environ, Settings))
    except SettingsError as error:
        logging.getLogger("risk_assessment").error(str(error))
        return 2
    return 0


def serve(settings: Settings) -> None:
    """Raises SettingsError before the socket is opened."""
    from .app import build_pipeline, create_app
    from .listen import listen
    from .store import S3Store

    store = S3Store(settings)
    # Makes the client while the model loads: together they take what one of them takes alone.
    threading.Thread(target=store.client, daemon=True).start()
    listen(create_app(build_pipeline(settings, store)), settings.port, settings.shutdown_seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
