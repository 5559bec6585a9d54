# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every request to Quay's API, in a session like that of its page: a token of the first user would end after hours.

Knows how to ask and to say what went wrong, never what is wanted: _quay_organization decides that.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._causes import root_cause

try:
    import requests

    MISSING = None
except ImportError as error:
    MISSING = error

ANSWER_WITHIN = 60  # seconds
NO_USER = "non-empty database"


class QuayError(Exception):
    """A sentence on what was tried, where, what came back and where to look."""


class NotThere(QuayError):
    """Quay knows no such thing."""


class Quay:
    """Quay's API at `url`, https://HOST. Every method raises QuayError."""

    def __init__(self, url: str, ca_file: str | None, validate_certs: bool = True) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        # Given with each request: a session's own would lose against REQUESTS_CA_BUNDLE.
        self.verify = (ca_file or True) if validate_certs else False
        # As Quay's own page sends them.
        self.session.headers.update({"X-Requested-With": "XMLHttpRequest", "Referer": self.url})

    def sign_in(self, username: str, password: str) -> bool:
        """Whether Quay knows this user by this password."""
        self.session.headers["X-CSRF-Token"] = self._csrf_token()
        path = "/api/v1/signin"
        answer = self._send("sign in", "POST", path, {"username": username, "password": password})
        if answer.status_code == 403:
            return False
        if not self._json("sign in", answer).get("success"):
            raise QuayError(self._sentence("sign in", answer))
        # Quay gives a new one to whoever signed in.
        self.session.headers["X-CSRF-Token"] = self._csrf_token()
        return True

    def initialize(self, username: str, password: str, email: str) -> None:
        """Makes the first user, which only an empty Quay does."""
        deed, body = f"make the first user, {username}", {"username": username, "password": password, "email": email}
        answer = self._send(deed, "POST", "/api/v1/user/initialize", body)
        if answer.ok:
            return
        if NO_USER in answer.text:
            raise QuayError(
                f"Could not sign in at {self.url} as {username}: Quay has users already, but not this one with this "
                "password. Give the password that it has, or set a new one in Quay as its administrator."
            )
        advice = "The config bundle of the QuayRegistry must say FEATURE_USER_INITIALIZE: true."
        raise QuayError(f"{self._sentence(deed, answer)} {advice}")

    def get(self, deed: str, path: str, **query: str) -> dict[str, Any]:
        return self._json(deed, self._good(deed, self._send(deed, "GET", path, query=query)))

    def write(self, deed: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._good(deed, self._send(deed, method, path, body))
        found = self._json(deed, answer) if answer.content else {}
        return found if isinstance(found, dict) else {}

    def _csrf_token(self) -> str:
        return self.get("begin a session", "/csrf_token")["csrf_token"]

    def _send(self, deed: str, method: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> Any:
        try:
            return self.session.request(
                method, self.url + path, json=body, params=query, verify=self.verify, timeout=ANSWER_WITHIN
            )
        except requests.exceptions.SSLError as error:
            advice = "Give the authority that signed Quay's certificate as ca_file."
            raise QuayError(f"Could not {deed} at {self.url}: TLS failed: {root_cause(error)}. {advice}") from None
        except requests.exceptions.RequestException as error:
            advice = "Check the address, and whether the QuayRegistry is Available."
            raise QuayError(f"Could not {deed} at {self.url}: {root_cause(error)}. {advice}") from None

    def _good(self, deed: str, answer: Any) -> Any:
        if answer.ok:
            return answer
        missing = answer.status_code == 404 or "Could not find" in answer.text
        raise (NotThere if missing else QuayError)(self._sentence(deed, answer))

    def _json(self, deed: str, answer: Any) -> Any:
        try:
            return answer.json()
        except ValueError:
            seen = f"got {answer.text[:60]!r} instead of JSON. Is there a Quay at this address?"
            raise QuayError(f"Could not {deed} at {self.url}: {seen}") from None

    def _sentence(self, deed: str, answer: Any) -> str:
        try:
            told = answer.json()
            words = told.get("error_message") or told.get("message") or told.get("detail") or ""
        except (ValueError, AttributeError):
            words = answer.text[:100]
        return f"Could not {deed} at {self.url}: Quay answered {answer.status_code} {words}".rstrip(" .") + "."


def path_of(*parts: str) -> str:
    return "/api/v1/" + "/".join(quote(part, safe="+") for part in parts)
