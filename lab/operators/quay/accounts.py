# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, organisations, repositories, robots and their permissions in one SQLite file. Knows nothing of HTTP."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ROLES = ("read", "write", "admin")
TABLES = """
create table if not exists users (name text primary key, email text, salt blob, hash blob);
create table if not exists organizations (name text primary key, owner text references users);
create table if not exists repositories (
  organization text references organizations on delete cascade, name text, visibility text, description text,
  primary key (organization, name));
create table if not exists robots (
  organization text references organizations on delete cascade, name text, token text, description text,
  primary key (organization, name));
create table if not exists permissions (
  organization text, repository text, robot text, role text,
  primary key (organization, repository, robot),
  foreign key (organization, repository) references repositories on delete cascade,
  foreign key (organization, robot) references robots on delete cascade);
"""


class Taken(Exception):
    """Something of that name exists."""


def hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


class Accounts:
    """Every method is one transaction."""

    def __init__(self, file: Path | str) -> None:
        self._db = sqlite3.connect(file)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma foreign_keys = on")
        self._db.executescript(TABLES)

    def _all(self, statement: str, *values: Any) -> list[Row]:
        return [dict(row) for row in self._db.execute(statement, values)]

    def _one(self, statement: str, *values: Any) -> Row | None:
        return next(iter(self._all(statement, *values)), None)

    def _write(self, statement: str, *values: Any) -> int:
        try:
            with self._db:
                return self._db.execute(statement, values).rowcount
        except sqlite3.IntegrityError as error:
            raise Taken(str(error)) from None

    def has_users(self) -> bool:
        return self._one("select name from users") is not None

    def add_user(self, name: str, password: str, email: str) -> None:
        salt = secrets.token_bytes(16)
        self._write("insert into users values (?, ?, ?, ?)", name, email, salt, hashed(password, salt))

    def user_signs_in(self, name: str, password: str) -> bool:
        user = self._one("select salt, hash from users where name = ?", name)
        return user is not None and hmac.compare_digest(user["hash"], hashed(password, user["salt"]))

    def organization(self, name: str) -> Row | None:
        return self._one("select * from organizations where name = ?", name)

    def add_organization(self, name: str, owner: str) -> None:
        self._write("insert into organizations values (?, ?)", name, owner)

    def drop_organization(self, name: str) -> None:
        self._write("delete from organizations where name = ?", name)

    def repositories(self, organization: str) -> list[Row]:
        return self._all("select * from repositories where organization = ? order by name", organization)

    def repository(self, organization: str, name: str) -> Row | None:
        return self._one("select * from repositories where organization = ? and name = ?", organization, name)

    def add_repository(self, organization: str, name: str, visibility: str, description: str) -> None:
        self._write("insert into repositories values (?, ?, ?, ?)", organization, name, visibility, description)

    def change_visibility(self, organization: str, name: str, value: str) -> None:
        statement = "update repositories set visibility = ? where organization = ? and name = ?"
        self._write(statement, value, organization, name)

    def describe(self, organization: str, name: str, value: str) -> None:
        statement = "update repositories set description = ? where organization = ? and name = ?"
        self._write(statement, value, organization, name)

    def drop_repository(self, organization: str, name: str) -> None:
        self._write("delete from repositories where organization = ? and name = ?", organization, name)

    def robots(self, organization: str) -> list[Row]:
        return self._all("select * from robots where organization = ? order by name", organization)

    def robot(self, organization: str, name: str) -> Row | None:
        return self._one("select * from robots where organization = ? and name = ?", organization, name)

    def add_robot(self, organization: str, name: str, description: str) -> None:
        token = secrets.token_hex(32).upper()
        self._write("insert into robots values (?, ?, ?, ?)", organization, name, token, description)

    def drop_robot(self, organization: str, name: str) -> None:
        self._write("delete from robots where organization = ? and name = ?", organization, name)

    def robot_signs_in(self, organization: str, name: str, token: str) -> bool:
        robot = self.robot(organization, name)
        return robot is not None and hmac.compare_digest(robot["token"], token)

    def permissions(self, organization: str, robot: str) -> list[Row]:
        statement = "select * from permissions where organization = ? and robot = ? order by repository"
        return self._all(statement, organization, robot)

    def role(self, organization: str, repository: str, robot: str) -> str | None:
        statement = "select role from permissions where organization = ? and repository = ? and robot = ?"
        return (self._one(statement, organization, repository, robot) or {}).get("role")

    def permit(self, organization: str, repository: str, robot: str, role: str) -> None:
        statement = "insert into permissions values (?, ?, ?, ?) on conflict do update set role = excluded.role"
        self._write(statement, organization, repository, robot, role)

    def forbid(self, organization: str, repository: str, robot: str) -> bool:
        statement = "delete from permissions where organization = ? and repository = ? and robot = ?"
        return self._write(statement, organization, repository, robot) > 0
