# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in at an OpenID Connect provider: authorization code flow with PKCE, state and nonce.

The ID token comes from the provider itself over a verified TLS connection, which stands for checking its signature
(OpenID Connect Core 1.0, section 3.1.3.7, point 6).
"""

import base64
import hashlib
import json
import secrets
import ssl
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .sessions import Signer
from .settings import Settings, SettingsError

COOKIE, SECONDS, MAX_BYTES = "gallery-sign-in", 600, 256 * 1024


class Provider:
    """The client's secret is the file `oidc.secret`, an authority of one's own `oidc-ca.crt`, in GALLERY_SECRETS."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self.settings, self.signer = settings, signer
        self.back = settings.public_url.rstrip("/") + "/sign-in/answer"
        self.known: dict[str, Any] | None = None
        authority = settings.secrets / "oidc-ca.crt"
        self.tls = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        try:
            self.secret = (settings.secrets / "oidc.secret").read_text().strip()
        except OSError as error:
            raise SettingsError(f"GALLERY_SECRETS: cannot read {error.filename}: {error.strerror}.") from None

    async def begin(self, to: str) -> Response:
        found = await self.discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code", "client_id": self.settings.oidc_client, "redirect_uri": self.back,
            "scope": "openid profile", "state": state, "nonce": nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        begun = {"kind": "oidc", "state": state, "nonce": nonce, "verifier": verifier, "to": to}
        response = RedirectResponse(f"{found['authorization_endpoint']}?{urlencode(asked)}", 303)
        response.set_cookie(
            COOKIE, self.signer.sign(begun, SECONDS), max_age=SECONDS, path="/sign-in",
            secure=self.settings.cookie_secure, httponly=True, samesite="lax",
        )  # fmt: skip
        return response

    async def finish(self, request: Request) -> tuple[str, list[str], str]:
        """(name, groups, where to go). Raises HTTPException."""
        begun = self.signer.read(request.cookies.get(COOKIE))
        asked = request.query_params
        if (
            not begun
            or begun.get("kind") != "oidc"
            or not secrets.compare_digest(begun["state"], asked.get("state", ""))
        ):
            raise HTTPException(400, "This sign-in was not begun here, or took too long. Begin again.")
        if "code" not in asked:
            raise HTTPException(403, "The sign-in was refused.")
        form = {
            "grant_type": "authorization_code", "code": asked["code"], "redirect_uri": self.back,
            "client_id": self.settings.oidc_client, "client_secret": self.secret, "code_verifier": begun["verifier"],
        }  # fmt: skip
        found = await self.discover()
        answer = await self.ask(found["token_endpoint"], urlencode(form).encode())
        claims = read_claims(answer.get("id_token", ""))
        check_claims(claims, self.settings, begun["nonce"])
        name = str(claims.get("preferred_username") or claims["sub"])
        groups = claims.get(self.settings.oidc_groups_claim) or []
        return name, [str(group) for group in groups] if isinstance(groups, list) else [], begun["to"]

    def forget(self, response: Response) -> None:
        response.delete_cookie(COOKIE, path="/sign-in")

    async def discover(self) -> dict[str, Any]:
        if self.known is None:
            found = await self.ask(self.settings.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration", None)
            if found.get("issuer") != self.settings.oidc_issuer:
                raise HTTPException(502, "The OpenID Connect provider says that it is another one.")
            self.known = found
        return self.known

    async def ask(self, url: str, form: bytes | None) -> dict[str, Any]:
        try:
            return await run_sync(fetch, url, form, self.tls)
        except (urllib.error.URLError, OSError, ValueError):
            raise HTTPException(502, "The OpenID Connect provider did not answer as expected.") from None


def fetch(url: str, form: bytes | None, tls: ssl.SSLContext) -> dict[str, Any]:
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise ValueError(url)
    request = urllib.request.Request(url, form, {"accept": "application/json"})  # noqa: S310 - checked above
    with urllib.request.urlopen(request, timeout=10, context=tls if url.startswith("https") else None) as answer:  # noqa: S310
        found = json.loads(answer.read(MAX_BYTES))
    if not isinstance(found, dict):
        raise ValueError(url)
    return found


def read_claims(token: str) -> dict[str, Any]:
    """The claims of an ID token. Raises HTTPException."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims if isinstance(claims, dict) else {}
    except (IndexError, ValueError):
        raise HTTPException(502, "The OpenID Connect provider sent no ID token.") from None


def check_claims(claims: dict[str, Any], settings: Settings, nonce: str) -> None:
    """Raises HTTPException."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    wrong = [
        name
        for name, right in (
            ("iss", claims.get("iss") == settings.oidc_issuer),
            ("aud", settings.oidc_client in audiences),
            ("azp", len(audiences) < 2 or claims.get("azp") == settings.oidc_client),
            ("exp", isinstance(claims.get("exp"), int | float) and claims["exp"] > time.time()),
            ("nonce", claims.get("nonce") == nonce),
            ("sub", bool(claims.get("sub"))),
        )
        if not right
    ]
    if wrong:
        raise HTTPException(403, f"The ID token cannot be accepted: {', '.join(wrong)}.")
