# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: which address gives what, to whom. Everything but signing in and the probes needs a person."""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from . import studies
from .feed import Feed
from .figures import RANGES, Figures
from .oidc import Provider
from .pages import Pages
from .people import Door, People, Person
from .pictures import DICOM_TYPE, EXTENSIONS, LARGE, SHOWN, Missing, Pictures, Store, Unavailable, Unshowable
from .policy import Guard
from .sessions import Signer
from .settings import Settings
from .sources import Sources

LANE, LIST = 12, 48
FORM_BYTES = 4096
STATIC = Path(__file__).with_name("static")
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
KINDS = {"heatmap", *(small + kind for small in ("", "small-") for kind in ("anonymized", "processed", "source"))}
SHOWN_TYPES = {kind for _, kind in SHOWN}
IMAGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
FOREVER = "public, max-age=31536000, immutable"
Handler = Callable[[Request, Person], Awaitable[Response]]
log = logging.getLogger("gallery")


class Gallery:
    """`connect` opens a database connection for the notifications; `pool` answers everything else."""

    def __init__(self, settings: Settings, signer: Signer, pool: Any, connect: Callable[[], Any], store: Store) -> None:
        self.settings, self.pool = settings, pool
        self.people = People(settings, signer)
        self.door = Door(self.people.accounts)
        self.provider = Provider(settings, signer) if settings.sign_in == "oidc" else None
        self.figures = Figures(pool)
        self.feed = Feed(connect, pool, self.figures)
        self.pictures = Pictures(store, settings)
        self.sources = Sources(self.pictures, settings)
        self.assets = read_assets()
        self.pages = Pages(settings, {name: address for address, (name, _, _) in self.assets.items()})

    def app(self) -> Any:
        routes = [
            Route("/", self.person(self.overview)),
            Route("/studies", self.person(self.list)),
            Route("/studies/{image}", self.person(self.study)),
            Route("/images/{image}/{kind}", self.person(self.image)),
            Route("/events", self.person(self.events)),
            Route("/api/newest", self.person(self.newest)),
            Route("/api/series", self.person(self.series)),
            Route("/api/studies/{image}", self.person(self.result)),
            Route("/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/sign-in/answer", self.answer),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/static/{name:path}", self.static),
            Route("/healthz", healthy),
            Route("/readyz", self.ready),
        ]
        handlers = {
            HTTPException: self.failed,
            Missing: self.missing,
            Unavailable: self.unavailable,
            Unshowable: self.missing,
        }
        app = Starlette(
            routes=routes, lifespan=self.life, exception_handlers=handlers | database_errors(self.unavailable)
        )
        return Guard(app, https=self.settings.cookie_secure)

    @asynccontextmanager
    async def life(self, app: Starlette) -> AsyncIterator[None]:
        feed = asyncio.create_task(self.feed.run())
        try:
            yield
        finally:
            feed.cancel()

    def person(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Lets a handler be reached by people who signed in; others are shown where to do so."""

        async def guarded(request: Request) -> Response:
            person = self.people.of(request)
            if person:
                request.state.person = person
                return await handler(request, person)
            if self.settings.sign_in == "header":
                raise HTTPException(403, "Sign in at the proxy in front of this page: it did not say who you are.")
            if "text/html" in request.headers.get("accept", "") and request.method == "GET":
                here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"/sign-in?{urlencode({'to': here})}", 303)
            raise HTTPException(401, "Sign in first.")

        return guarded

    # What a person sees

    async def overview(self, request: Request, person: Person) -> Response:
        place = self.feed.place  # before the query: what comes meanwhile is told twice, and shown once

        async def make() -> bytes:
            lanes = public_lanes(await studies.newest(self.pool, LANE))
            return self.pages.overview(person, lanes, await self.figures.hops(), place)

        return page(await self.pages.kept((person, place, int(time.monotonic())), make))

    async def list(self, request: Request, person: Person) -> Response:
        place, wanted = self.feed.place, read_filter(request)
        found = await studies.page(self.pool, wanted, read_cursor(request), LIST)
        await self.figures.hops()  # knows the models
        shown = [studies.public(row) for row in found.studies]
        return page(self.pages.list(person, shown, found, wanted, self.figures.models, place))

    async def study(self, request: Request, person: Person) -> Response:
        row = await self.row(request)
        newer, older = await studies.neighbours(self.pool, row)
        return page(
            self.pages.study(person, studies.public(row) | {"stages": stages(row)}, newer, older, self.feed.place)
        )

    async def result(self, request: Request, person: Person) -> Response:
        row = await self.row(request)
        headers = {"cache-control": "private, no-cache"}
        if "download" in request.query_params:
            headers["content-disposition"] = f'attachment; filename="{row["image"]}.json"'
        return JSONResponse(studies.public(row) | {"stages": stages(row)}, headers=headers)

    async def newest(self, request: Request, person: Person) -> Response:
        place = self.feed.place
        lanes = public_lanes(await studies.newest(self.pool, LANE))
        content = {"place": place, "lanes": lanes, "figures": await self.figures.hops()}
        return JSONResponse(content, headers={"cache-control": "no-store"})

    async def series(self, request: Request, person: Person) -> Response:
        name = request.query_params.get("range", "1h")
        if name not in RANGES:
            raise HTTPException(400, f"Expected a range of {', '.join(RANGES)}.")
        return JSONResponse(await self.figures.series(name), headers={"cache-control": "no-store"})

    async def events(self, request: Request, person: Person) -> Response:
        place = request.headers.get("last-event-id") or request.query_params.get("from", "")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self.feed.watch(place), media_type="text/event-stream", headers=headers)

    async def row(self, request: Request) -> Any:
        image = request.path_params["image"]
        row = await studies.by_image(self.pool, image) if IMAGE.fullmatch(image) else None
        if row is None:
            raise HTTPException(404, "There is no such study.")
        return row

    # Pictures

    async def image(self, request: Request, person: Person) -> Response:
        """What is not de-identified is for clinicians alone."""
        kind = request.path_params["kind"]
        bare = kind.removeprefix("small-")
        if kind not in KINDS:
            raise HTTPException(404, "There is no such picture.")
        if bare not in self.sources.open_to_all and not person.clinician:
            raise HTTPException(403, "Only clinicians may see pictures that are not de-identified.")
        row = await self.row(request)
        bucket, key = await self.sources.find(row, bare)
        headers = self.picture_headers(row, bare)
        if request.headers.get("if-none-match") == headers["etag"] and "download" not in request.query_params:
            return Response(status_code=304, headers=headers)
        if kind != bare:
            return Response(
                await self.pictures.preview(bucket, key, studies.version(row)), media_type="image/jpeg", headers=headers
            )
        return await self.whole(request, row, bucket, key, bare, headers)

    async def whole(
        self, request: Request, row: Any, bucket: str, key: str, kind: str, headers: dict[str, str]
    ) -> Response:
        """The object as it is, where it may be shown or is to be saved; else a picture made of it."""
        picture = await self.pictures.original(bucket, key)
        shown = picture.media_type in SHOWN_TYPES
        if "download" in request.query_params:
            media_type = picture.media_type if shown or picture.media_type == DICOM_TYPE else "application/octet-stream"
            name = f"{row['image']}-{kind}.{EXTENSIONS[picture.media_type]}"
            headers |= {"content-disposition": f'attachment; filename="{name}"', "content-length": str(picture.size)}
            return StreamingResponse(picture.chunks, media_type=media_type, headers=headers)
        if shown:
            headers["content-length"] = str(picture.size)
            return StreamingResponse(picture.chunks, media_type=picture.media_type, headers=headers)
        await picture.chunks.aclose()
        made = await self.pictures.preview(bucket, key, studies.version(row), LARGE)
        return Response(made, media_type="image/jpeg", headers=headers)

    def picture_headers(self, row: Any, kind: str) -> dict[str, str]:
        """A browser keeps what everyone may see; it never keeps what only clinicians may."""
        kept = kind in self.sources.open_to_all
        tag = hashlib.sha256(f"{row['image']} {studies.version(row)} {kind}".encode()).hexdigest()[:16]
        cache = "private, max-age=86400" if kept else "no-store"
        return {"cache-control": cache, "etag": f'"{tag}"', "vary": "cookie"}

    # Signing in

    async def sign_in(self, request: Request) -> Response:
        to = local_path(request.query_params.get("to", "/"))
        if self.settings.sign_in == "header" or (request.method == "GET" and self.people.of(request)):
            return RedirectResponse(to, 303)
        if self.provider:
            return await self.provider.begin(to)
        if request.method == "GET":
            return page(self.pages.sign_in(to, ""))
        return await self.check_password(request, to)

    async def check_password(self, request: Request, to: str) -> Response:
        same_origin(request)
        form = dict(parse_qsl(await read_form(request), max_num_fields=4))
        name, password = form.get("name", ""), form.get("password", "")
        if self.door.closed(name):
            return page(self.pages.sign_in(to, "Too many tries for this name. Wait a minute."), 429)
        person = await self.door.enter(name, password)
        if not person:
            return page(self.pages.sign_in(to, "This name and password do not belong together."), 401)
        return self.let_in(person, to)

    async def answer(self, request: Request) -> Response:
        """Where an OpenID Connect provider sends people back to."""
        if not self.provider:
            raise HTTPException(404, "Nobody signs in that way here.")
        name, groups, to = await self.provider.finish(request)
        response = self.let_in(self.people.person(name, groups), local_path(to))
        self.provider.forget(response)
        return response

    def let_in(self, person: Person, to: str) -> Response:
        response = RedirectResponse(to, 303)
        response.set_cookie(
            self.people.cookie, self.people.session(person), max_age=self.settings.session_hours * 3600,
            path="/", secure=self.settings.cookie_secure, httponly=True, samesite="lax",
        )  # fmt: skip
        return response

    async def sign_out(self, request: Request) -> Response:
        same_origin(request)
        response = RedirectResponse("/sign-in", 303, headers={"clear-site-data": '"cache"'})
        response.delete_cookie(self.people.cookie, path="/", secure=self.settings.cookie_secure, httponly=True)
        return response

    # Everything else

    async def static(self, request: Request) -> Response:
        asset = self.assets.get(request.url.path)
        if not asset:
            raise HTTPException(404, "There is no such file.")
        _, kind, data = asset
        return Response(data, media_type=kind, headers={"cache-control": FOREVER})

    async def ready(self, request: Request) -> Response:
        await self.pool.fetchval("select 1")
        return PlainTextResponse("ready\n")

    async def failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self.tell(request, error.status_code, str(error.detail))

    async def missing(self, request: Request, error: Exception) -> Response:
        return self.tell(request, 404, str(error) or "There is no such picture.")

    async def unavailable(self, request: Request, error: Exception) -> Response:
        log.warning("unavailable", extra={"fields": {"error": f"{type(error).__name__}: {str(error)[:200]}"}})
        return self.tell(
            request, 503, "The results or the pictures cannot be read at the moment. Trying again may help."
        )

    def tell(self, request: Request, status: int, text: str) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return page(self.pages.message(self.people.of(request), status, text), status)
        return JSONResponse({"error": text}, status, headers={"cache-control": "no-store"})


def healthy(request: Request) -> Response:
    return PlainTextResponse("ok\n")


def page(text: bytes, status: int = 200) -> Response:
    return Response(text, status, media_type="text/html", headers={"cache-control": "no-store"})


def public_lanes(lanes: dict[str, list[Any]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [studies.public(row) for row in rows] for name, rows in lanes.items()}


def stages(row: Any) -> dict[str, float]:
    import json

    found = row["stages"] or {}
    found = json.loads(found) if isinstance(found, str) else found
    return {str(name): float(seconds) for name, seconds in found.items() if isinstance(seconds, int | float)}


def read_filter(request: Request) -> studies.Filter:
    asked = request.query_params
    label, outcome = asked.get("label", ""), asked.get("outcome", "")
    return studies.Filter(
        label if label in studies.LABELS else "",
        outcome if outcome in studies.OUTCOMES else "",
        asked.get("model", "")[:100].replace("\0", ""),
    )


def read_cursor(request: Request) -> studies.Cursor | None:
    """`older=` or `newer=` a place that an earlier page gave. Raises HTTPException."""
    for name in ("older", "newer"):
        if text := request.query_params.get(name):
            moment, _, image = text.partition(".")
            if not moment.isdecimal() or len(moment) > 17 or not IMAGE.fullmatch(image):
                raise HTTPException(400, "Expected a place that an earlier page gave.")
            return studies.Cursor(datetime.fromtimestamp(int(moment) / 1_000_000, UTC), image, name == "older")
    return None


def local_path(to: str) -> str:
    """Only ever a page of ours, whatever a link says."""
    return to if re.fullmatch(r"/(?![/\\])[^\\\s]*", to) and not to.startswith("/sign-") else "/"


def same_origin(request: Request) -> None:
    """Forms are taken from our own pages only. Raises HTTPException."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin" or (
        origin and urlsplit(origin).netloc != request.headers.get("host")
    ):
        raise HTTPException(403, "This form was sent from another site.")


async def read_form(request: Request) -> str:
    """Raises HTTPException."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise HTTPException(413, "Expected a name and a password.")
    return body.decode("utf-8", "replace")


def read_assets() -> dict[str, tuple[str, str, bytes]]:
    """Address -> (name, media type, content). Addresses change with the content, so browsers may keep them for ever."""
    contents = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
    tag = hashlib.sha256(b"".join(contents.values())).hexdigest()[:10]
    # Modules import one another by relative names: one folder for all of them keeps these right.
    return {f"/static/{tag}/{name}": (name, TYPES[Path(name).suffix], data) for name, data in contents.items()}


def database_errors(handler: Any) -> dict[Any, Any]:
    import asyncpg

    return dict.fromkeys((asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError), handler)
