# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures. Puts the page, the function's package (for its decoders) and these tests' own module on the path."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS.parents[1] / "model_service")]

import httpx  # noqa: E402
from rig import MIGRATIONS, PASSWORD, Facility, MemoryBuckets, Postgres, postgres_commands, serving, settings_for  # noqa: E402

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if not postgres_commands():
        pytest.skip("no PostgreSQL here: install Debian's package postgresql-15 (lab/packages.txt)")
    # Not pytest's folder: the server runs as another user, who may not enter it.
    with TemporaryDirectory(prefix="xraylab-gallery-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "server")
        server.start()
        try:
            server.migrate()
            yield server
        finally:
            server.stop()


@pytest.fixture
def facility(postgres: Postgres) -> Facility:
    postgres.sql("truncate studies cascade")
    return Facility(postgres, MemoryBuckets())


@pytest.fixture
def address(facility: Facility, tmp_path: Path) -> Iterator[str]:
    facility.postgres.secret(tmp_path / "results")
    with serving(settings_for(tmp_path), facility.buckets) as url:
        yield url


@pytest.fixture
def visit(address: str) -> Iterator[Callable[..., httpx.Client]]:
    """An HTTP client, signed in as the account of this name; without a name nobody."""
    clients: list[httpx.Client] = []

    def sign_in(name: str = "") -> httpx.Client:
        client = httpx.Client(base_url=address, timeout=20)
        clients.append(client)
        if name:
            answer = client.post("/sign-in?to=/", data={"name": name, "password": PASSWORD})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
        return client

    yield sign_in
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium here: install Debian's package chromium (lab/packages.txt)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """A page of someone who signed in. Fails the test when the page meets an error, or asks any other host."""
    contexts: list[Any] = []
    seen = SimpleNamespace(errors=[], foreign=[])

    def open_(name: str = "viola", path: str = "/", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        # Chromium breaks off what it loads when an interface of the machine changes, as a lab's do all the time.
        page.on(
            "console", lambda m: m.type == "error" and "NETWORK_CHANGED" not in m.text and seen.errors.append(m.text)
        )
        page.on("request", lambda asked: asked.url.startswith(address) or seen.foreign.append(asked.url))
        page.goto(address + path)
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(address + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert seen.errors == []
    assert seen.foreign == []


@pytest.fixture(scope="session", autouse=True)
def migrations_are_there() -> None:
    if not list(MIGRATIONS.glob("*.sql")):
        pytest.skip(f"no migrations in {MIGRATIONS}")
