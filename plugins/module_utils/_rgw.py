# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every request to Ceph's RADOS Gateway: Admin Ops, topics, notifications, objects, over one signed HTTP session.

Knows how to ask and how to say what went wrong, never what is wanted: _rgw_users, _rgw_topics and _rgw_notifications
decide that. One transport serves all four APIs, because boto3 encodes spaces of topic attributes in a way that RGW
keeps as "+", and knows neither Admin Ops nor the removal of a single notification.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._causes import root_cause

try:
    import requests
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    MISSING = None
except ImportError as error:
    MISSING = error

RGW_ARGUMENTS: dict[str, dict[str, Any]] = {
    "endpoint_url": {"type": "str", "required": True, "fallback": (env_fallback, ["RGW_ENDPOINT_URL"])},
    "access_key": {"type": "str", "required": True, "no_log": False, "fallback": (env_fallback, ["RGW_ACCESS_KEY"])},
    "secret_key": {"type": "str", "required": True, "no_log": True, "fallback": (env_fallback, ["RGW_SECRET_KEY"])},
    "ca_bundle": {"type": "path", "aliases": ["aws_ca_bundle"], "fallback": (env_fallback, ["RGW_CA_BUNDLE"])},
}
REGION = "default"  # RGW takes any region that the signature was made with
XML = {"s3": "http://s3.amazonaws.com/doc/2006-03-01/"}

ADVICE = {
    "InvalidAccessKeyId": "RGW knows no such access key: check access_key.",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key: check secret_key.",
    "RequestTimeTooSkewed": "The clocks of this host and of RGW differ by more than 15 minutes: set them right.",
    "NoSuchBucket": "Create the bucket first, or check its name.",
    "KeyExists": "The access key belongs to another user: give another one, or remove it there first.",
    "InvalidCapability": "A caps entry is a type that RGW knows (users, buckets, metadata, usage, zone) and "
    "read, write or *: see what 'radosgw-admin caps add --help' lists.",
    "InvalidTenantName": "A uid may hold a tenant before '$', and the tenant only letters, digits and '_'.",
}
DENIED = {
    "admin": "The user of access_key needs the capability users=*: "
    "radosgw-admin caps add --uid=<its uid> --caps='users=*'.",
    "sns": "Either the topic is another user's, or its endpoint holds a password, which RGW takes and shows over https "
    "only: endpoint_url must start with https.",
    "s3": "The user of access_key must own the bucket, or the bucket's policy must allow this request.",
}


class RgwError(Exception):
    """A sentence on what was tried, where, what came back and where to look; `code` is RGW's, "" without an answer."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Endpoint:
    """Where RGW is and who asks. Raises RgwError for an address or a CA file that cannot work."""

    url: str
    access_key: str
    secret_key: str = field(repr=False)
    ca_bundle: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise RgwError(f"endpoint_url must look like https://host:port, but is {self.url!r}.")
        if self.ca_bundle and not os.access(self.ca_bundle, os.R_OK):
            raise RgwError(f"ca_bundle must be a readable file of certificates, but {self.ca_bundle} is not.")

    @property
    def base(self) -> str:
        return self.url.rstrip("/")

    @property
    def encrypted(self) -> bool:
        return self.url.startswith("https:")


@dataclass(frozen=True)
class Stored:
    """An object of a bucket listing: eTag without quotes, time of its last change as RGW writes it (ISO 8601, UTC)."""

    key: str
    etag: str
    modified: str


def endpoint_of(module: AnsibleModule, **other: Any) -> Endpoint:
    """The Endpoint of a module's options. Fails the module when a library is missing or the options cannot work."""
    if MISSING:
        reason = f"to speak to RGW ({MISSING}). Run: pip install botocore requests"
        module.fail_json(msg=missing_required_lib("botocore and requests", reason=reason))
    given = {name: other.get(name) or module.params[name] for name in RGW_ARGUMENTS}
    try:
        return Endpoint(given["endpoint_url"], given["access_key"], given["secret_key"], given["ca_bundle"])
    except RgwError as error:
        module.fail_json(msg=str(error))


class Gateway:
    """RGW's APIs. Every method raises RgwError. `timeout` is in seconds, `connections` are kept for as many threads."""

    def __init__(self, endpoint: Endpoint, timeout: int = 30, connections: int = 2) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self.credentials = Credentials(endpoint.access_key, endpoint.secret_key)
        # Every request here leaves the same state when it is made twice, so that retrying is safe.
        retry = Retry(
            total=4, connect=1, read=2, backoff_factor=0.3, status_forcelist=(500, 502, 503, 504), allowed_methods=None,
            raise_on_status=False,
        )  # fmt: skip
        self.session = requests.Session()
        self.session.mount(endpoint.base, HTTPAdapter(max_retries=retry, pool_maxsize=connections))

    def admin(self, deed: str, method: str, resource: str, params: dict[str, str], sub: str = "") -> Any:
        """Parsed JSON of an Admin Ops request (None without a body). `sub` is a subresource such as caps or key."""
        body = self.send(
            deed, "admin", method, f"/admin/{resource}", {sub: None} if sub else {}, {**params, "format": "json"}
        )
        try:
            return json.loads(body) if body else None
        except ValueError:
            raise RgwError(self.sentence(deed, f"got {body[:60]!r} instead of JSON", NOT_RGW)) from None

    def sns(self, deed: str, action: str, params: dict[str, str]) -> ElementTree.Element:
        form = "&".join(f"{escape(name)}={escape(value)}" for name, value in {"Action": action, **params}.items())
        return self.parse(deed, self.send(deed, "sns", "POST", "/", body=form.encode()))

    def notifications(self, deed: str, bucket: str) -> ElementTree.Element:
        return self.parse(deed, self.send(deed, "s3", "GET", f"/{escape(bucket)}", {"notification": None}))

    def put_notification(self, deed: str, bucket: str, configuration: bytes) -> None:
        self.send(deed, "s3", "PUT", f"/{escape(bucket)}", {"notification": None}, body=configuration)

    def delete_notification(self, deed: str, bucket: str, name: str) -> None:
        """Ceph's extension: S3 itself can only replace all notifications of a bucket."""
        self.send(deed, "s3", "DELETE", f"/{escape(bucket)}", {"notification": name})

    def put_object(self, bucket: str, key: str, data: bytes, content_type: str) -> str:
        """The object's eTag, without quotes."""
        deed = f"store {key!r} in bucket {bucket}"
        headers = {"Content-Type": content_type}
        return (
            self.answer(deed, "s3", "PUT", object_path(bucket, key), body=data, headers=headers)
            .headers["ETag"]
            .strip('"')
        )

    def get_object(self, bucket: str, key: str) -> bytes:
        return self.send(f"read {key!r} of bucket {bucket}", "s3", "GET", object_path(bucket, key))

    def list_objects(self, bucket: str, prefix: str = "") -> dict[str, Stored]:
        """All objects of a bucket whose key starts with `prefix`, by key; a request for every thousand of them."""
        deed, found, token = f"list bucket {bucket}", {}, None
        while True:
            asked = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
            page = self.parse(
                deed, self.send(deed, "s3", "GET", f"/{escape(bucket)}", asked, token and {"continuation-token": token})
            )
            for entry in page.iterfind("s3:Contents", XML):
                stored = read_entry(entry)
                found[stored.key] = stored
            token = page.findtext("s3:NextContinuationToken", None, XML)
            if not token:
                return found

    def send(self, deed: str, *request: Any, **more: Any) -> bytes:
        return self.answer(deed, *request, **more).content

    def answer(
        self, deed: str, api: str, method: str, path: str, query: dict[str, str | None] | None = None,
        more: dict[str, str] | None = None, body: bytes = b"", headers: dict[str, str] | None = None,
    ) -> Any:  # fmt: skip
        """The answer to one signed request, if it is a good one. `query` values of None make a bare name."""
        url = self.endpoint.base + path + encode({**(query or {}), **(more or {})})
        signed = self.sign(api, method, url, body, headers or {})
        verify = self.endpoint.ca_bundle or True
        try:
            answer = self.session.request(method, url, data=body, headers=signed, verify=verify, timeout=self.timeout)
        except requests.exceptions.SSLError as error:
            raise RgwError(self.sentence(deed, f"TLS failed: {root_cause(error)}", self.tls_advice())) from None
        except requests.exceptions.Timeout:
            raise RgwError(self.sentence(deed, f"no answer within {self.timeout} s", UNREACHABLE)) from None
        except requests.exceptions.RequestException as error:
            raise RgwError(self.sentence(deed, f"no connection: {root_cause(error)}", UNREACHABLE)) from None
        if answer.status_code >= 300:
            code = error_code(answer.content)
            seen = f"RGW answered {answer.status_code} {code}".rstrip()
            raise RgwError(self.sentence(deed, seen, advice(api, code)), code)
        return answer

    def sign(self, api: str, method: str, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        if api == "sns":
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **headers}
        request = AWSRequest(method, url, data=body, headers=headers)
        signer = SigV4Auth if api == "sns" else S3SigV4Auth
        signer(self.credentials, "sns" if api == "sns" else "s3", REGION).add_auth(request)
        return dict(request.headers)

    def sentence(self, deed: str, seen: str, look: str) -> str:
        return f"Could not {deed} at {self.endpoint.base}: {seen}. {look}".rstrip()

    def tls_advice(self) -> str:
        trusted = self.endpoint.ca_bundle or "not given, so the public ones count"
        return (
            f"ca_bundle must hold the authority that signed RGW's certificate (it is {trusted}), and the certificate "
            "must name this host. An RGW without TLS needs http:// in endpoint_url."
        )

    def parse(self, deed: str, body: bytes) -> ElementTree.Element:
        try:
            return ElementTree.fromstring(body)  # noqa: S314 (RGW is trusted, and expat limits entities)
        except ElementTree.ParseError:
            raise RgwError(self.sentence(deed, f"got {body[:60]!r} instead of XML", NOT_RGW)) from None


UNREACHABLE = "Check that endpoint_url (http or https, host, port) is right and that RGW runs there."
NOT_RGW = "Check that endpoint_url is RGW's own address."


def escape(text: str) -> str:
    return quote(text, safe="-_.~")


def encode(query: dict[str, str | None]) -> str:
    pairs = [escape(name) if value is None else f"{escape(name)}={escape(value)}" for name, value in query.items()]
    return "?" + "&".join(pairs) if pairs else ""


def object_path(bucket: str, key: str) -> str:
    return f"/{escape(bucket)}/{quote(key, safe='-_.~/')}"


def read_entry(entry: ElementTree.Element) -> Stored:
    text = {name: entry.findtext(f"s3:{name}", "", XML) for name in ("Key", "ETag", "LastModified")}
    return Stored(unquote(text["Key"]), text["ETag"].strip('"'), text["LastModified"])


def error_code(body: bytes) -> str:
    """RGW's code for an error: JSON from Admin Ops, XML from all others; "" when it is neither."""
    try:
        return str(json.loads(body)["Code"])
    except (ValueError, KeyError, TypeError):
        pass
    try:
        return ElementTree.fromstring(body).findtext("Code", "")  # noqa: S314 (RGW is trusted, and expat limits entities)
    except ElementTree.ParseError:
        return ""


def advice(api: str, code: str) -> str:
    if code == "AccessDenied":
        return DENIED[api]
    return ADVICE.get(code, "" if code else NOT_RGW)
