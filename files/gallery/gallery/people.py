# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a visitor is, and whether they may see what is not de-identified. Three ways to know: an account of the page's
own, the header of a proxy that signed them in, or an OpenID Connect provider.
"""

import ipaddress
import json
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request

from . import passwords
from .sessions import Signer
from .settings import Settings, SettingsError, listed

ROLES = ("viewer", "clinician")
TRIES, TRY_SECONDS, REMEMBERED = 5, 60.0, 1000


@dataclass(frozen=True)
class Person:
    name: str
    clinician: bool = False


@dataclass(frozen=True)
class Account:
    hash: str
    clinician: bool


class People:
    """Tells who sent a request; None when nobody is signed in."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self.settings, self.signer = settings, signer
        self.cookie = "__Host-gallery" if settings.cookie_secure else "gallery"
        self.clinicians = set(listed(settings.clinicians))
        self.clinician_groups = set(listed(settings.clinician_groups))
        self.networks = settings.networks
        self.accounts = read_accounts(settings.secrets / "accounts.json") if settings.sign_in == "local" else {}

    def of(self, request: Request) -> Person | None:
        if self.settings.sign_in == "header":
            return self.of_header(request)
        session = self.signer.read(request.cookies.get(self.cookie))
        if not session or session.get("kind") != "session":
            return None
        if self.settings.sign_in == "local":
            account = self.accounts.get(session["name"])
            return Person(session["name"], account.clinician) if account else None
        return Person(session["name"], session["clinician"])

    def of_header(self, request: Request) -> Person | None:
        """Only a request that comes from the proxy may say who it is from."""
        if not request.client or not self.trusted(request.client.host):
            return None
        name = request.headers.get(self.settings.header_user, "").strip()
        groups = listed(request.headers.get(self.settings.header_groups, ""))
        return self.person(name, groups) if name else None

    def trusted(self, address: str) -> bool:
        try:
            host = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(host in network for network in self.networks)

    def person(self, name: str, groups: list[str]) -> Person:
        return Person(name, name in self.clinicians or not self.clinician_groups.isdisjoint(groups))

    def session(self, person: Person) -> str:
        content = {"kind": "session", "name": person.name, "clinician": person.clinician}
        return self.signer.sign(content, self.settings.session_hours * 3600)


def read_accounts(path: Path) -> dict[str, Account]:
    """Raises SettingsError."""
    try:
        found = json.loads(path.read_bytes())
        return {name: Account(entry["hash"], ROLES.index(entry["role"]) == 1) for name, entry in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{path}: expected accounts as {{name: {{hash, role: viewer or clinician}}}}, got {type(error).__name__}."
        ) from None


class Door:
    """Checks passwords, one at a time and five tries a minute for each name, whether or not there is such a name."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self.accounts = accounts
        self.tries: OrderedDict[str, list[float]] = OrderedDict()
        self.limiter: CapacityLimiter | None = None
        self.nobody = Account(passwords.hashed(""), False)

    def closed(self, name: str) -> bool:
        now = time.monotonic()
        recent = [moment for moment in self.tries.pop(name, []) if now - moment < TRY_SECONDS]
        self.tries[name] = [*recent, now][-TRIES - 1 :]
        while len(self.tries) > REMEMBERED:
            self.tries.popitem(last=False)
        return len(recent) >= TRIES

    async def enter(self, name: str, password: str) -> Person | None:
        self.limiter = self.limiter or CapacityLimiter(1)
        account = self.accounts.get(name, self.nobody)
        right: Any = await run_sync(passwords.matches, password, account.hash, limiter=self.limiter)
        if not right or account is self.nobody:
            return None
        self.tries.pop(name, None)
        return Person(name, account.clinician)
