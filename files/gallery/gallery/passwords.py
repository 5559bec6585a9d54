# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords as they are kept: salted scrypt. `python -m gallery.passwords` hashes the one on standard input."""

import hashlib
import hmac
import os
import sys

N, R, P = 2**14, 8, 1  # 16 MiB and some 40 ms a try


def digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=N, r=R, p=P, maxmem=64 * 1024**2)


def hashed(password: str) -> str:
    salt = os.urandom(16)
    return f"scrypt${salt.hex()}${digest(password, salt).hex()}"


def matches(password: str, kept: str) -> bool:
    _, salt, wanted = kept.split("$")
    return hmac.compare_digest(digest(password, bytes.fromhex(salt)), bytes.fromhex(wanted))


if __name__ == "__main__":
    print(hashed(sys.stdin.readline().rstrip("\n")))
