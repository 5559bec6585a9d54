# SPDX-License-Identifier: GPL-3.0-or-later
"""De-identified X-rays out of the bucket of the data connection, whose variables are Open Data Hub's (AWS_*)."""

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

AT_ONCE = 8


def client() -> Any:
    """botocore itself reads the keys, the region and AWS_CA_BUNDLE."""
    from botocore.config import Config
    from botocore.session import get_session

    # RGW before 18 refuses the checksums that botocore sends by default.
    config = Config(
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
        max_pool_connections=AT_ONCE, s3={"addressing_style": "path"},
    )  # fmt: skip
    return get_session().create_client("s3", endpoint_url=os.environ["AWS_S3_ENDPOINT"], config=config)


def fetch(labels: Path, folder: Path) -> Path:
    """Every object that the table names in its column `file`, unless it is there already; the folder."""
    with labels.open(newline="") as file:
        keys = [row["file"] for row in csv.DictReader(file)]
    store, bucket = client(), os.environ["AWS_S3_BUCKET"]

    def one(key: str) -> None:
        target = inside(folder, key)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        part.write_bytes(store.get_object(Bucket=bucket, Key=key)["Body"].read())
        part.rename(target)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, keys))
    return folder


def inside(folder: Path, key: str) -> Path:
    """Where an object's file goes: a key is a text of others, and may not lead out of the folder."""
    if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
        raise ValueError(f"expected the name of an object of the bucket, got {key!r}")
    return folder / key
