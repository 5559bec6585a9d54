# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every request to one repository of an image registry (OCI distribution), with tokens as registries give them."""

from __future__ import annotations

import re
from typing import IO, Any
from urllib.parse import urljoin

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._causes import root_cause
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._oci_archive import (
    INDEXES,
    MANIFESTS,
    Manifest,
    digest_of,
)

try:
    import requests

    MISSING = None
except ImportError as error:
    MISSING = error

ANSWER_WITHIN = 120  # seconds between two bytes
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
REPOSITORY = re.compile(r"(?P<host>[^/]+)/(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)")


class RegistryError(Exception):
    """A sentence on what was tried, where, what came back and where to look."""


class Repository:
    """One repository, such as quay.example.com/xraylab/gallery. Every method raises RegistryError."""

    def __init__(
        self, name: str, credentials: tuple[str, str] | None, ca_file: str | None = None, validate_certs: bool = True
    ) -> None:
        found = REPOSITORY.fullmatch(name)
        if not found:
            raise RegistryError(f"A repository is named HOST/PATH, as quay.example.com/xraylab/gallery, not {name!r}.")
        self.name, self.path = name, found["path"]
        self.base = f"https://{found['host']}/v2/"
        self.credentials, self.token = credentials, ""
        self.verify: Any = (ca_file or True) if validate_certs else False
        self.session = requests.Session()

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest by its tag or digest, None when there is none."""
        headers = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
        answer = self._send(f"read {reference} of", "GET", f"manifests/{reference}", headers=headers, good=(200, 404))
        if answer.status_code == 404:
            return None
        return Manifest(answer.headers.get("Content-Type", ""), digest_of(answer.content), answer.content)

    def put_manifest(self, reference: str, manifest: Manifest) -> None:
        headers = {"Content-Type": manifest.media_type}
        self._send(f"write {reference} to", "PUT", f"manifests/{reference}", data=manifest.text, headers=headers)

    def blob(self, digest: str) -> bytes:
        return self._send(f"read {digest} of", "GET", f"blobs/{digest}").content

    def has_blob(self, digest: str) -> bool:
        return self._send(f"look for {digest} in", "HEAD", f"blobs/{digest}", good=(200, 404)).status_code == 200

    def put_blob(self, digest: str, data: bytes | IO[bytes]) -> None:
        """Sends a part of an image in one piece."""
        deed = f"send {digest} to"
        begun = self._send(deed, "POST", "blobs/uploads/")
        place = urljoin(begun.url, begun.headers["Location"])
        headers = {"Content-Type": "application/octet-stream"}
        self._send(deed, "PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", data, headers)

    def _send(
        self, deed: str, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None,
        good: tuple[int, ...] = (200, 201, 202),
    ) -> Any:  # fmt: skip
        url = path if "://" in path else f"{self.base}{self.path}/{path}"
        answer = self._ask(deed, method, url, data, headers or {})
        if answer.status_code == 401 and "Bearer" in answer.headers.get("WWW-Authenticate", ""):
            self.token = self._get_token(deed, answer.headers["WWW-Authenticate"])
            if hasattr(data, "seek"):
                data.seek(0)
            answer = self._ask(deed, method, url, data, headers or {})
        if answer.status_code not in good:
            raise RegistryError(self._sentence(deed, answer))
        return answer

    def _ask(self, deed: str, method: str, url: str, data: Any, headers: dict[str, str]) -> Any:
        if self.token:
            headers = {**headers, "Authorization": f"Bearer {self.token}"}
        auth = None if self.token else self.credentials
        try:
            return self.session.request(
                method, url, data=data, headers=headers, auth=auth, verify=self.verify, timeout=ANSWER_WITHIN
            )
        except requests.exceptions.SSLError as error:
            advice = "Give the authority that signed the registry's certificate as ca_file."
            raise RegistryError(f"Could not {deed} {self.name}: TLS failed: {root_cause(error)}. {advice}") from None
        except requests.exceptions.RequestException as error:
            advice = "Check the name, and whether the registry can be reached from here."
            raise RegistryError(f"Could not {deed} {self.name}: {root_cause(error)}. {advice}") from None

    def _get_token(self, deed: str, challenge: str) -> str:
        """A token for pulling and pushing; a registry gives one for what the credentials allow of that."""
        told = dict(PARAMETER.findall(challenge))
        self.token = ""
        wanted = {"service": told.get("service", ""), "scope": f"repository:{self.path}:pull,push"}
        url = requests.Request("GET", told["realm"], params=wanted).prepare().url
        answer = self._ask(deed, "GET", url, None, {})
        if answer.status_code != 200:
            raise RegistryError(self._sentence(f"{deed} (get a token for)", answer))
        found = answer.json()
        return found.get("token") or found["access_token"]

    def _sentence(self, deed: str, answer: Any) -> str:
        try:
            words = "; ".join(entry.get("message") or entry.get("code", "") for entry in answer.json()["errors"])
        except (ValueError, KeyError, TypeError, AttributeError):
            words = ""
        seen = f"the registry answered {answer.status_code} {words}".rstrip()
        denied = answer.status_code in (401, 403)
        return f"Could not {deed} {self.name}: {seen}." + (f" {self._denied()}" if denied else "")

    def _denied(self) -> str:
        who = self.credentials[0] if self.credentials else "nobody in particular"
        return f"It was asked as {who}, who needs the right to pull and push there; and the repository must be there."
