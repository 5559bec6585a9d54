# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, database and tables of the results, brought to what this image needs; safe to repeat and to run twice at once.

Each folder below `users` is a mounted Secret of one user; `admin` is one who may make users and databases. Tables come
by the files in migrations/, each once, applied by yoyo as their owner.
"""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from .database import settings

if TYPE_CHECKING:
    from psycopg import Connection

MIGRATIONS = Path(__file__).with_name("migrations")
OWNER = "xraylab_owner"
ONE_AT_A_TIME = 0x78726179  # the key of an advisory lock
log = logging.getLogger("risk_assessment")


def migrate(admin: Path, users: Path) -> None:
    """Raises TryLater for keys that are missing and psycopg's errors for what the server refuses."""
    folders = {(folder / "user").read_text().strip(): folder for folder in sorted(users.iterdir()) if folder.is_dir()}
    make_users(settings(admin), {user: settings(folder) for user, folder in folders.items()})
    applied = apply_migrations(settings(folders[OWNER]))
    log.info("migrated", extra={"fields": {"users": sorted(folders), "applied": applied}})


def make_users(admin: dict[str, Any], users: dict[str, dict[str, Any]]) -> None:
    import psycopg
    from psycopg import sql

    database = users[OWNER]["dbname"]
    with psycopg.connect(**admin, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        for user, keys in users.items():
            make_user(connection, user, keys["password"])
        if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
            # Only a member of the owner, or a superuser, may give a database away.
            if not connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()[0]:
                connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(OWNER)))
            connection.execute(
                sql.SQL("create database {} owner {}").format(sql.Identifier(database), sql.Identifier(OWNER))
            )
    with psycopg.connect(**users[OWNER], autocommit=True) as connection:
        names = sql.SQL(", ").join(map(sql.Identifier, sorted(users)))
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(database), names))


def make_user(connection: "Connection[Any]", user: str, password: str) -> None:
    """The server gets a SCRAM verifier, so that no password comes into its log."""
    from psycopg import sql

    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    known = connection.execute("select 1 from pg_roles where rolname = %s", [user]).fetchone()
    deed = "alter role {} login password {}" if known else "create role {} login password {}"
    connection.execute(sql.SQL(deed).format(sql.Identifier(user), sql.Literal(verifier)))


def apply_migrations(owner: dict[str, Any]) -> list[str]:
    """Names of the migrations that were not there yet."""
    import psycopg
    from yoyo import get_backend, read_migrations

    os.environ.setdefault("USER", "xraylab")  # yoyo notes who applied one, and a pod's user may have no name
    with psycopg.connect(**owner, autocommit=True) as guard:
        guard.execute("select pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        backend = get_backend(address(owner))
        # Under the lock above, a lock of yoyo's own is what a killed run left.
        backend.break_lock()
        with backend.lock():
            todo = backend.to_apply(read_migrations(str(MIGRATIONS)))
            backend.apply_migrations(todo)
            return [migration.id for migration in todo]


def address(keys: dict[str, Any]) -> str:
    """A connection URI as yoyo takes it."""
    rest = {name: keys[name] for name in ("sslmode", "sslrootcert", "connect_timeout")}
    user, password = (quote(keys[name], safe="") for name in ("user", "password"))
    return f"postgresql+psycopg://{user}:{password}@{keys['host']}:{keys['port']}/{keys['dbname']}?{urlencode(rest)}"
