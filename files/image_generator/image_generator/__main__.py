# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m image_generator`: send X-rays until SIGTERM, and say every minute how many."""

import os
import random
import signal
import sys
import threading
import time

from .rounds import KINDS, Rounds
from .settings import SettingsError, read_settings
from .store import S3Store

TOLD_SECONDS = 60


def main() -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        settings = read_settings(os.environ)
        store = S3Store(settings)
        rounds = Rounds(store, settings.seconds_wait, settings.pneumonia_share, settings.at_once, random.Random())  # noqa: S311
    except (SettingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if not any(rounds.samples.values()):
        print(
            f"Expected images in bucket {settings.samples_bucket} under {' or '.join(KINDS)}, but saw none.",
            file=sys.stderr,
        )
        return 2
    threading.Thread(target=tell, args=(rounds, stop), daemon=True).start()
    rounds.run(time.monotonic, stop)
    return 0


def tell(rounds: Rounds, stop: threading.Event) -> None:
    while not stop.wait(TOLD_SECONDS):
        print(f"{rounds.sent} X-rays sent, {rounds.failed} could not be stored", flush=True)


if __name__ == "__main__":
    sys.exit(main())
