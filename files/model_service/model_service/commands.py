# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model_service COMMAND`: what keeps the database of results, with the function's settings.

Exit status: 0 done, 1 try again (a Job does), 2 no retry will help.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .database import Database, Row
from .errors import Refused, TryLater
from .logs import set_up_logs
from .pseudonyms import Pseudonyms
from .settings import Settings, SettingsError, read_settings

log = logging.getLogger("risk_assessment")
Options = argparse.Namespace
KEYS = Path("/etc/risk-assessment")


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    set_up_logs()
    try:
        options.command(options, read_settings(os.environ, Settings))
    except TryLater as error:
        log.error(str(error))
        return 1
    except (Refused, SettingsError) as error:
        log.error(str(error))
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python -m model_service")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, what: Callable[[Options, Settings], None]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=(what.__doc__ or "").splitlines()[0])
        made.set_defaults(command=what)
        return made

    made = command("migrate", migrate)
    made.add_argument("--admin", type=Path, default=KEYS / "results-admin", help="keys of who may make users")
    made.add_argument("--users", type=Path, default=KEYS / "results-users", help="a folder of keys for each user")
    command("arrivals", arrivals)
    made = command("reconcile", reconcile)
    made.add_argument("bucket")
    made.add_argument("--sink", required=True, help="address of the topic's KafkaSink")
    made.add_argument("--grace", type=float, default=1800, help="seconds after which an object should have a result")
    made.add_argument("--most", type=int, default=1000, help="objects that are announced again at most")
    made = command("letters", show_letters)
    made.add_argument("--replayed", action="store_true", help="also those that were sent again since")
    made.add_argument("--inspect", metavar="IMAGE", help="the whole event of one, which names its object")
    made = command("replay", replay)
    made.add_argument("--sink", required=True, help="address of the topic's KafkaSink")
    made.add_argument("--image", action="append", help="only these")
    made.add_argument("--reason", default="", help="only those whose reason contains this")
    made.add_argument("--wait", type=float, default=0, help="seconds to wait for what becomes of them")
    made = command("rescore", rescore)
    made.add_argument("--count", type=int, default=50, help="studies at most")
    made = command("backup", backup)
    made.add_argument("deed", choices=["keep", "list", "fetch"])
    made.add_argument("bucket")
    made.add_argument("--file", type=Path, default=Path("/backup/results.dump"))
    made.add_argument("--key", default="latest")
    made = command("forget", forget)
    made.add_argument("bucket")
    made.add_argument("--prefix", required=True, help="what the keys of their objects begin with, a folder")
    made.add_argument("--wait", type=float, default=60, help="seconds to wait for those that are not finished")
    return whole


def migrate(options: Options, settings: Settings) -> None:
    """Bring users, database and tables to what this image needs."""
    import psycopg

    from .migrate import migrate as bring

    try:
        bring(options.admin, options.users)
    except psycopg.OperationalError as error:
        raise TryLater(f"Could not migrate: {error}") from None


def arrivals(options: Options, settings: Settings) -> None:
    """Serve the consumer that counts studies on arrival."""
    import uvicorn

    from .arrivals import Arrivals, create_arrivals

    suffixes = (settings.processed_suffix, settings.anonymized_suffix)
    counting = Arrivals(database_of(settings), Pseudonyms(settings.pseudonym_key), suffixes)
    uvicorn.run(create_arrivals(counting), host="0.0.0.0", port=settings.port, log_config=None, access_log=False)  # noqa: S104


def reconcile(options: Options, settings: Settings) -> None:
    """Announce what was forgotten once more."""
    from .reconcile import Reconciler
    from .store import S3Store

    work = Reconciler(
        S3Store(settings), database_of(settings), Pseudonyms(settings.pseudonym_key), options.sink,
        timedelta(seconds=options.grace), options.most,
    )  # fmt: skip
    work.run(options.bucket)
    counts = {name: getattr(work, name) for name in ("listed", "missing", "reannounced", "seconds")}
    log.info("reconciled", extra={"fields": counts})


def show_letters(options: Options, settings: Settings) -> None:
    """List the dead letters of studies without a result, as JSON lines."""
    from .letters import open_letters

    for letter in open_letters(database_of(settings), options.replayed):
        if options.inspect is None:
            show(told(letter))
        elif options.inspect == letter["image"]:
            show(told(letter) | {"study": letter["study"], "event": letter["event"]})


def replay(options: Options, settings: Settings) -> None:
    """Send dead letters to the topic once more, and tell what became of them, as JSON lines."""
    from .letters import open_letters, replay

    database = database_of(settings)
    chosen = [
        letter
        for letter in open_letters(database)
        if (not options.image or letter["image"] in options.image) and options.reason in letter["reason"]
    ]
    replay(database, options.sink, chosen)
    left = {letter["id"]: letter for letter in chosen}
    deadline = time.monotonic() + options.wait
    while left and time.monotonic() < deadline:
        time.sleep(1)
        unsettled = {row["id"]: row for row in open_letters(database, replayed=True)}
        # Settled: it has a result now, or it came back as a dead letter.
        left = {id: row for id, row in left.items() if id in unsettled and unsettled[id]["last_at"] == row["last_at"]}
    again = {row["id"]: row for row in open_letters(database, replayed=True)}
    for letter in chosen:
        became = "waiting" if letter["id"] in left else "dead letter again" if letter["id"] in again else "has a result"
        show(told(again.get(letter["id"], letter)) | {"replay": became})


def told(letter: Row) -> dict[str, Any]:
    """What may be shown of a letter: no object's key."""
    names = ("image", "reason", "code", "first_at", "last_at", "times", "replayed_at", "outcome")
    return {name: letter[name] for name in names}


def show(row: dict[str, Any]) -> None:
    text = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    sys.stdout.write(json.dumps(text, ensure_ascii=False) + "\n")


def rescore(options: Options, settings: Settings) -> None:
    """Score again what was assessed last, and tell how far the risks moved, as one JSON line."""
    from .local_files import load_finder
    from .rescore import newest, rescore
    from .store import S3Store

    finder, store = load_finder(settings), S3Store(settings)
    rows = newest(database_of(settings), options.count)
    show(rescore(rows, store, finder, settings.max_pixels))


def backup(options: Options, settings: Settings) -> None:
    """Keep a dump of the database in the object store, list them, or fetch one."""
    from . import backups
    from .store import S3Store

    store = S3Store(settings)
    if options.deed == "list":
        for name in backups.names(store, options.bucket):
            show({"backup": name})
        return
    if options.deed == "keep":
        show({"backup": backups.keep(store, options.bucket, options.file)})
    else:
        show({"backup": backups.fetch(store, options.bucket, options.key, options.file)})


def forget(options: Options, settings: Settings) -> None:
    """Remove the studies of a folder and all that was made of them; needs the owner's keys."""
    from .forget import Folder, forget
    from .store import S3Store

    results = options.bucket + settings.processed_suffix, options.bucket + settings.anonymized_suffix
    folder = Folder(options.bucket, options.prefix, *results)
    log.info("forgotten", extra={"fields": forget(S3Store(settings), database_of(settings), folder, options.wait)})


def database_of(settings: Settings) -> Database:
    if settings.database is None:
        raise SettingsError("RISK_ASSESSMENT_DATABASE is not set: expected the folder with the database's keys.")
    return Database(settings.database)
