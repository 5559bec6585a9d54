# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to a facility's own API server, and what is read there of the hub's agent. Judges nothing."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_access as access
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import KLUSTERLETS, Object, Refusal
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_agents import Agent

try:
    import yaml
    from kubernetes.client import Configuration
except ImportError:
    yaml = Configuration = None  # AnsibleK8SModule has failed the module before they are used

AGENT_NAMESPACE = "open-cluster-management-agent"
BOOTSTRAP, CREDENTIALS = "bootstrap-hub-kubeconfig", "hub-kubeconfig-secret"
LOG_LINES = 80
PODS = 3


class Place:
    """A facility's address and credentials, and its API server once it is needed."""

    def __init__(self, module: AnsibleK8SModule, options: dict[str, Any]) -> None:
        self.module, self.options = module, options
        self.cluster: Cluster | None = None
        if not is_path(options.get("kubeconfig")):
            # The options themselves hold its secrets.
            module._module.no_log_values.update(access.secrets_of(config_of(options)))

    @cached_property
    def config(self) -> access.Config:
        """Read when it is needed: of a facility that is in touch, nobody asks for it."""
        config = config_of(self.options)
        self.module._module.no_log_values.update(access.secrets_of(config))
        return config

    def api(self) -> Cluster:
        """Raises ClusterError with a sentence on the facility, whose address is not the hub's."""
        if not self.cluster:
            server = access.cluster_of(self.config).get("server")
            try:
                self.cluster = Cluster(self.module, lambda _: client_of(self.config))
            except ClusterError as error:
                raise ClusterError(f"The facility's API server {server} does not let us in. {error}") from None
        return self.cluster

    def credentials(self) -> dict[str, str]:
        """For the hub: server and token where nothing else was given, else a kubeconfig."""
        options, server = self.options, self.options.get("hub_url")
        if options.get("host") and not options.get("ca_cert") and not options.get("kubeconfig"):
            return {"server": server or options["host"], "token": options["api_key"]}
        config = access.carrying(self.config, read, server)
        return {"kubeconfig": yaml.safe_dump(config)}

    def one(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        found = self.api().objects(api_version, kind, namespace, name=name)
        return found[0] if found else None

    def klusterlet(self) -> Object | None:
        found = self.api().objects(KLUSTERLETS, "Klusterlet", None) or []
        return found[0] if found else None

    def agent(self) -> Agent:
        klusterlet = self.klusterlet()
        namespace = namespace_of(klusterlet)
        secret = self.one("v1", "Secret", namespace, BOOTSTRAP) if klusterlet else None
        pods = self.api().objects("v1", "Pod", namespace) or [] if klusterlet else []
        log = [line for pod in pods[:PODS] for line in self.log(pod)]
        return Agent(klusterlet, config_in(secret), log, [line for pod in pods for line in stuck(pod)])

    def log(self, pod: Object) -> list[str]:
        """It only helps to say what is wrong: it is no error that it cannot be read."""
        metadata = pod["metadata"]
        try:
            container = pod["spec"]["containers"][0]["name"]
            return self.api().log(metadata["namespace"], metadata["name"], container, LOG_LINES)
        except ClusterError:
            return []

    def credentials_of_agent(self) -> Object | None:
        return self.one("v1", "Secret", namespace_of(self.klusterlet()), CREDENTIALS)


def namespace_of(klusterlet: Object | None) -> str:
    return ((klusterlet or {}).get("spec") or {}).get("namespace") or AGENT_NAMESPACE


def in_secret(secret: Object | None, key: str) -> str:
    return base64.b64decode(((secret or {}).get("data") or {}).get(key) or "").decode(errors="replace")


def config_in(secret: Object | None) -> access.Config | None:
    try:
        return access.one_context(yaml.safe_load(in_secret(secret, "kubeconfig")), None)
    except (yaml.YAMLError, Refusal):
        return None


def stuck(pod: Object) -> Iterator[str]:
    for entry in (pod.get("status") or {}).get("containerStatuses") or []:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating"):
            yield (
                f"Pod {pod['metadata']['name']} of the agent should run on the facility, but is {waiting['reason']}: "
                f"{waiting.get('message') or 'no message'}"
            )


def config_of(options: dict[str, Any]) -> access.Config:
    """One kubeconfig of one context, whichever way the credentials are given."""
    given = options.get("kubeconfig")
    if given:
        loaded = given if isinstance(given, dict) else load(str(given))
        return access.one_context(loaded, options.get("context"))
    cluster = {"server": options["host"]}
    if options.get("ca_cert"):
        cluster["certificate-authority"] = options["ca_cert"]
    if options.get("validate_certs") is False:
        cluster["insecure-skip-tls-verify"] = True
    return access.kubeconfig(cluster, {"token": options["api_key"]})


def is_path(given: Any) -> bool:
    return isinstance(given, str) and "\n" not in given


def load(given: str) -> Any:
    """From a file, or from the text itself, as a vault has it."""
    text = read(given).decode() if is_path(given) else given
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refusal(f"The facility's kubeconfig should be YAML, but is not: {error}") from None


def read(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise Refusal(f"The facility's credentials should be in {path}, but: {error.strerror}.") from None


def client_of(config: access.Config) -> Any:
    with nothing_of_the_hub():
        return get_api_client(None, kubeconfig=config)


@contextmanager
def nothing_of_the_hub() -> Iterator[None]:
    """Environment and default configuration are those of the hub's client, its certificate among them."""
    former = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("K8S_AUTH_")}
    Configuration.set_default(None)
    try:
        yield
    finally:
        os.environ.update(former)
