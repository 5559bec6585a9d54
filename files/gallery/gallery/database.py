# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to PostgreSQL with the user's Secret. The only module that knows asyncpg's connecting."""

import ssl
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from .settings import SettingsError

NAMES = ("host", "port", "dbname", "user", "password")
LIMITS = {"statement_timeout": "8000", "application_name": "gallery", "timezone": "UTC", "jit": "off"}


class Database:
    """A pool that is made at first use: the page starts, and says what is wrong, also while the database is down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = anyio.Lock()
        self.pool: Any = None
        self.arguments()

    def arguments(self) -> dict[str, Any]:
        """Read anew for each connection: a password may be replaced. Raises SettingsError."""
        try:
            values = {name: (self.folder / name).read_text().strip() for name in NAMES}
        except OSError as error:
            raise SettingsError(f"GALLERY_RESULTS: cannot read {error.filename}: {error.strerror}.") from None
        authority = self.folder / "ca.crt"
        # Never in the clear over a network; loopback is where tests have their server.
        near = values["host"] in ("127.0.0.1", "localhost")
        tls = None if near else ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        return {
            "host": values["host"], "port": int(values["port"]), "database": values["dbname"],
            "user": values["user"], "password": values["password"], "ssl": tls,
            "server_settings": LIMITS, "timeout": 5, "command_timeout": 10,
        }  # fmt: skip

    async def connect(self) -> Any:
        return await asyncpg.connect(**self.arguments())

    async def connected(self) -> Any:
        async with self.lock:
            if self.pool is None:
                self.pool = await asyncpg.create_pool(
                    min_size=0, max_size=8, max_inactive_connection_lifetime=60, connect=self.opened
                )
            return self.pool

    async def opened(
        self, *_: Any, loop: Any = None, connection_class: Any = None, record_class: Any = None, **__: Any
    ) -> Any:
        return await asyncpg.connect(
            **self.arguments(), loop=loop, connection_class=connection_class, record_class=record_class
        )

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        return await (await self.connected()).fetch(query, *values)

    async def fetchrow(self, query: str, *values: Any) -> Any:
        return await (await self.connected()).fetchrow(query, *values)

    async def fetchval(self, query: str, *values: Any) -> Any:
        return await (await self.connected()).fetchval(query, *values)

    async def close(self) -> None:
        if self.pool is not None:
            self.pool.terminate()
