# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads objects, events and logs from a Kubernetes API server. Judges nothing."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._causes import root_cause
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import (
    ClusterError,
    NotThere,
    Unreachable,
)

try:
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic.exceptions import ResourceNotFoundError, ResourceNotUniqueError
    from urllib3.exceptions import HTTPError
except ImportError:
    # AnsibleK8SModule has failed the module before anything here is used.
    class Missing(Exception):
        """Stands in for the client's errors."""

    ApiException = ResourceNotFoundError = ResourceNotUniqueError = HTTPError = Missing

Object = dict[str, Any]
ANSWER_WITHIN = 60  # seconds
DISCOVERY_PAUSE = 3.0  # seconds; looking for an unknown kind asks the API server for all its kinds


class Cluster:
    """Every method raises ClusterError."""

    def __init__(self, module: AnsibleK8SModule, connect: Callable[[AnsibleK8SModule], Any] = get_api_client) -> None:
        self.unknown: dict[tuple[str, str], float] = {}
        try:
            with limited():
                self.client = connect(module)
        except Exception as error:  # kubernetes.core lets every error of its configuration through
            pool = getattr(error, "pool", None)
            place = f" at {pool.host}:{pool.port}" if pool else ""
            raise ClusterError(
                f"Could not connect to the Kubernetes API{place}: {root_cause(error)}. {self.where(module)}"
            ) from None

    @staticmethod
    def where(module: AnsibleK8SModule) -> str:
        given = [name for name in ("kubeconfig", "context", "host") if module.params.get(name)]
        used = ", ".join(given) if given else "none given: K8S_AUTH_* variables or ~/.kube/config"
        return f"Check the cluster's address and credentials (options used: {used})."

    def resource(self, api_version: str, kind: str) -> Any:
        """The API server's resource, None while it serves no such kind."""
        wanted, now = (api_version, kind), time.monotonic()
        if now - self.unknown.get(wanted, -DISCOVERY_PAUSE) < DISCOVERY_PAUSE:
            return None
        try:
            return self.ask(f"look up {kind} of {api_version}", lambda: self.client.resource(kind, api_version))
        except (ResourceNotFoundError, ResourceNotUniqueError):
            self.unknown[wanted] = now
            return None

    def objects(self, api_version: str, kind: str, namespace: str | None, **query: str) -> list[Object] | None:
        """Objects by name= or label_selector=, [] when there are none, None while the kind is not served."""
        resource = self.resource(api_version, kind)
        if resource is None:
            return None
        place = f" in namespace {namespace}" if namespace else ""
        try:
            found = self.ask(f"read {kind}{place}", lambda: resource.get(namespace=namespace, **query)).to_dict()
        except NotThere:
            return []
        # Entries of a list do not repeat what they are.
        return [{"apiVersion": api_version, "kind": kind, **entry} for entry in found.get("items", [found])]

    def version(self) -> str:
        """Asked for anew: the client keeps an older answer in a file."""
        client = self.client.client
        told = self.ask(
            "read the version", lambda: client.request("get", "/version", serializer=lambda _, answer: answer)
        )
        return told["gitVersion"]

    def events(self, namespace: str | None, kind: str, name: str) -> list[Object]:
        fields = f"involvedObject.kind={kind},involvedObject.name={name}"
        return self.objects("v1", "Event", namespace or "default", field_selector=fields) or []

    def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool = False) -> list[str]:
        pods = self.resource("v1", "Pod")
        query = [("container", container), ("tailLines", lines), ("previous", str(previous).lower())]
        answer = self.ask(
            f"read the log of {pod}",
            lambda: pods.log.get(name=pod, namespace=namespace, serialize=False, query_params=query),
        )
        return answer.data.decode(errors="replace").splitlines()

    def ask(self, deed: str, request: Any) -> Any:
        try:
            with limited():
                return request()
        except (ResourceNotFoundError, ResourceNotUniqueError):
            raise
        except ApiException as error:
            raise answer_error(deed, error, self.address()) from None
        except (HTTPError, OSError) as error:
            seen = f"Could not {deed} at {self.address()}: {root_cause(error)}."
            raise Unreachable(f"{seen} Check that the API server runs there.") from None

    def address(self) -> str:
        return self.client.configuration.host


@contextmanager
def limited() -> Iterator[None]:
    """Ends a request with TimeoutError: for a host that drops packets, the client itself waits for ever."""

    def ring(_number: int, _frame: Any) -> None:
        raise TimeoutError(f"no answer within {ANSWER_WITHIN} s")

    former = signal.signal(signal.SIGALRM, ring)
    signal.alarm(ANSWER_WITHIN)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


def answer_error(deed: str, error: Any, address: str) -> ClusterError:
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = str(error.reason)
    seen = f"Could not {deed} at {address}: {error.status} {message}."
    if error.status == 404:
        return NotThere(seen)
    if error.status == 401:
        return ClusterError(f"{seen} The credentials are not valid (any more): log in again.")
    if error.status == 403:
        return ClusterError(f"{seen} Let a role allow get and list for this user.")
    return Unreachable(seen) if error.status == 429 or error.status >= 500 else ClusterError(seen)
