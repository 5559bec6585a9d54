# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of an S3 store with the keys of a mounted Secret. The gallery and the image generator use it, too."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient


def read_keys(folder: Path) -> tuple[str, str]:
    """(access key, secret key) of the files with these names. Raises OSError."""
    access, secret = ((folder / name).read_text().strip() for name in ("access_key", "secret_key"))
    return access, secret


def connect(
    keys: tuple[str, str], authority: Path, endpoint: str, region: str, connections: int, **config: Any
) -> "BaseClient":
    """`authority` is the file of the store's CA certificate; without such a file the system's authorities count."""
    from botocore.config import Config
    from botocore.session import Session

    access, secret = keys
    return Session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        verify=str(authority) if authority.exists() else None,
        config=Config(
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            connect_timeout=3,
            read_timeout=20,
            max_pool_connections=connections,
            # RGW before 18 refuses the trailing checksums that botocore sends, and checks, by default.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            **config,
        ),
    )
