# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples out of one bucket, X-rays into another. The only module that knows botocore."""

from functools import lru_cache
from typing import Any

from model_service import errors, images, s3
from PIL import Image

from .settings import Settings, SettingsError

KEPT = 16  # decoded samples
MAX_PIXELS = 40_000_000
REGION = "us-east-1"


class S3Store:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = connect(settings)
        self.picture = lru_cache(KEPT)(self.decode)

    def samples(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2")
        asked = {"Bucket": self.settings.samples_bucket, "Prefix": prefix}
        return self.asking(
            lambda: [entry["Key"] for page in pages.paginate(**asked) for entry in page.get("Contents", [])]
        )

    def decode(self, key: str) -> Image.Image:
        """Raises OSError."""
        bucket = self.settings.samples_bucket
        data = self.asking(lambda: self.client.get_object(Bucket=bucket, Key=key)["Body"].read())
        try:
            return images.read(data, MAX_PIXELS).gray
        except errors.Refused as error:
            raise OSError(f"Sample {key}: {error}") from None

    def put(self, key: str, data: bytes) -> None:
        """Raises OSError."""
        asked = {"Bucket": self.settings.target_bucket, "Key": key, "Body": data, "ContentType": "image/jpeg"}
        self.asking(lambda: self.client.put_object(**asked))

    def asking(self, request: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return request()
        except (ClientError, BotoCoreError) as error:
            raise OSError(f"{type(error).__name__} from {self.settings.s3_endpoint}: {error}") from None


def connect(settings: Settings) -> Any:
    """Raises SettingsError."""
    folder = settings.object_store
    try:
        keys = s3.read_keys(folder)
    except OSError as error:
        raise SettingsError(f"IMAGE_GENERATOR_OBJECT_STORE: cannot read {error.filename}: {error.strerror}.") from None
    return s3.connect(keys, folder / "ca.crt", settings.s3_endpoint, REGION, settings.at_once)
