# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Git service, with git itself as its client."""

from __future__ import annotations

import io
import subprocess
import threading

import git_server
import pytest

USER = {"username": "site", "password": "secret"}


@pytest.fixture
def url(tmp_path):
    """Where a running service serves, with {} for user and password."""
    (tmp_path / "served").mkdir()
    server = git_server.serve("127.0.0.1:0", tmp_path / "served", USER)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{{}}127.0.0.1:{server.server_address[1]}/facilities.git"
    server.shutdown()
    server.server_close()


def git(*arguments, folder="."):
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.askPass=true", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0", "HOME": str(folder)},
    )  # fmt: skip


def test_the_first_push_makes_the_repository_and_it_can_be_cloned(url, tmp_path):
    work = tmp_path / "work"
    git("init", "-q", "-b", "main", str(work), folder=tmp_path)
    (work / "large").write_bytes(bytes(range(256)) * 12000)  # more than git sends in one piece
    assert git("clone", url.format("site:secret@"), str(tmp_path / "none"), folder=tmp_path).returncode
    git("add", ".", folder=work)
    git("commit", "-q", "-m", "First", folder=work)
    pushed = git("-c", "core.compression=0", "push", "-q", url.format("site:secret@"), "main", folder=work)
    assert pushed.returncode == 0, pushed.stderr
    git("clone", "-q", url.format("site:secret@"), str(tmp_path / "copy"), folder=tmp_path)
    assert (tmp_path / "copy" / "large").read_bytes() == (work / "large").read_bytes()


def test_nobody_else_may_read(url, tmp_path):
    found = git("ls-remote", url.format("site:wrong@"), folder=tmp_path)
    assert found.returncode
    assert "Authentication failed" in found.stderr


def test_a_chunked_body_is_put_together():
    assert git_server.chunked(io.BytesIO(b"4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n")) == b"wikipedia"
