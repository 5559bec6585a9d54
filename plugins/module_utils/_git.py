# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One branch of a Git repository in a folder: clone, list, write, commit, push. Knows nothing of the files."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

PUSHED_MEANWHILE = ("fetch first", "non-fast-forward", "failed to update ref", "cannot lock ref", "stale info")
ANSWER_WITHIN = 120  # seconds


class GitError(Exception):
    """A sentence on what git was asked, what it said and where to look."""


class PushedMeanwhile(GitError):
    """Somebody else's commit came first."""


class Repository:
    """Every method raises GitError. Credentials go by the environment, which no other user sees."""

    def __init__(self, url: str, branch: str, folder: str, credentials: dict[str, str]) -> None:
        self.url, self.branch, self.folder = url, branch, Path(folder)
        self.environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **settings(credentials)}

    def clone(self) -> None:
        self.git("clone into a folder", "clone", "-q", "--no-checkout", self.url, ".")
        self.refresh()

    def refresh(self) -> None:
        """The folder as the branch is now; an empty one where the branch does not exist yet."""
        self.git("fetch", "fetch", "-q", "origin")
        known = f"origin/{self.branch}"
        if self.git("list branches", "branch", "-r", "--list", known).strip():
            self.git("check out", "checkout", "-q", "-f", "-B", self.branch, known)
        else:
            self.git("start the branch", "checkout", "-q", "-f", "--orphan", self.branch)

    def files(self, below: str) -> dict[str, str]:
        """Texts of all files in a folder of the repository, by their paths in it."""
        root = self.folder / below
        return {str(p.relative_to(root)): p.read_text(errors="replace") for p in sorted(root.rglob("*")) if p.is_file()}

    def write(self, below: str, changes: dict[str, str | None]) -> None:
        """None removes a file."""
        for name, text in changes.items():
            path = self.folder / below / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def commit(self, message: str, author: str, email: str) -> str:
        """The commit of all that was written, pushed."""
        who = ("-c", f"user.name={author}", "-c", f"user.email={email}", "-c", "commit.gpgSign=false")
        self.git("add", "add", "-A")
        self.git("commit", *who, "commit", "-q", "-m", message)
        self.git("push", "push", "-q", "origin", f"HEAD:refs/heads/{self.branch}")
        return self.head()

    def head(self) -> str:
        """The branch's last commit, "" while it has none."""
        if not self.git("list branches", "branch", "--list", self.branch).strip():
            return ""
        return self.git("read the last commit", "rev-parse", self.branch).strip()

    def contains(self, commit: str, later: str) -> bool:
        """Whether `commit` is `later` or one of those before it; an unknown one is fetched first."""
        if commit == later:
            return True
        self.git("fetch", "fetch", "-q", "origin")
        return commit in self.git("compare commits", "rev-list", later).split()

    def git(self, deed: str, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=ANSWER_WITHIN, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise GitError("Expected the command git on the control node, but there is none: install git.") from None
        except subprocess.TimeoutExpired:
            raise GitError(
                f"Could not {deed} at {self.url}: no answer within {ANSWER_WITHIN} s. Check its address."
            ) from None
        if done.returncode:
            raise failure(deed, self.url, done.stderr)
        return done.stdout


def settings(credentials: dict[str, str]) -> dict[str, str]:
    """Git's settings as environment variables."""
    pairs = []
    if credentials.get("password"):
        pair = f"{credentials.get('username') or 'git'}:{credentials['password']}"
        pairs.append(("http.extraHeader", f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"))
    if credentials.get("ca_file"):
        pairs.append(("http.sslCAInfo", credentials["ca_file"]))
    named = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _value) in enumerate(pairs)}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_key, value) in enumerate(pairs)}
    return {"GIT_CONFIG_COUNT": str(len(pairs)), **named, **values} if pairs else {}


def failure(deed: str, url: str, said: str) -> GitError:
    """What git's words mean, and what to do about it."""
    last = " ".join(line.strip() for line in said.strip().splitlines()[-3:]) or "nothing"
    if any(words in said for words in PUSHED_MEANWHILE):
        return PushedMeanwhile(f"Could not {deed} to {url}: {last}")
    cure = "Check the repository's address and that it can be reached from the control node."
    if "Authentication failed" in said or "could not read Username" in said or " 403" in said:
        cure = "Check user and password for the repository, and that this user may push."
    elif "not found" in said or " 404" in said:
        cure = "Create the repository at the Git service, or correct its address."
    return GitError(f"Could not {deed} at {url}: git said: {last}. {cure}")
