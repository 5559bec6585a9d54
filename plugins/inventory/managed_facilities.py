# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A hub's facilities as hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: managed_facilities
short_description: The managed clusters of a hub as hosts
version_added: 0.2.0
description:
  - Makes a host of each ManagedCluster of a hub of Advanced Cluster Management (ACM) or Open Cluster Management (OCM),
    with its labels, claims and conditions as variables.
  - Hosts are grouped by their state (C(available), C(lost), C(joining), C(denied)), by ManagedClusterSet
    (C(set_NAME)), by Placement (C(placement_NAME)) and by the labels of O(group_by_labels) (C(LABEL_VALUE)), and by
    what O(keyed_groups) and O(groups) add.
  - Asks the hub two questions, whatever the number of facilities.
  - Its files end with C(managed_facilities.yml) or C(managed_facilities.yaml).
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - constructed
  - inventory_cache
options:
  plugin:
    description: Says that a file is one of this plugin's.
    type: str
    required: true
    choices: [xraylab.medical_diagnosis.managed_facilities]
  label_selector:
    description: Selects the ManagedClusters, such as V(tier=edge).
    type: str
  local_cluster:
    description: Whether the hub's own cluster is a facility, too.
    type: bool
    default: false
  group:
    description: Group of all hosts. The playbooks of this collection look for V(facilities).
    type: str
    default: facilities
  host_format:
    description: Name of a host, in which V({name}) stands for the ManagedCluster's.
    type: str
    default: "{name}"
  group_by_labels:
    description: Labels whose values make groups.
    type: list
    elements: str
    default: []
  placements:
    description: Whether the decisions of all Placements are read, which needs the right to list them.
    type: bool
    default: true
  connect_by:
    description:
      - How a facility is reached. V(none) leaves that to other variables, such as O(compose).
      - V(kubeconfig) sets C(xraylab_kubeconfig) to O(facility_kubeconfig).
      - V(proxy) sets it to a way through the hub, ACM's cluster-proxy, with the token of a ManagedServiceAccount, which
        is read from the hub by each task that needs it. No credentials of a facility lie on this machine.
    type: str
    choices: [none, kubeconfig, proxy]
    default: none
  facility_kubeconfig:
    description: Path of a facility's kubeconfig, in which V({name}) stands for the ManagedCluster's name.
    type: str
    default: ~/.kube/{name}
  proxy_url:
    description: Address of the hub's C(cluster-proxy-addon-user). Without it, that Route is looked for on the hub.
    type: str
  proxy_ca_cert:
    description: File with the authority that signed the certificate of O(proxy_url).
    type: path
  service_account:
    description: Name of the ManagedServiceAccount in each facility's namespace on the hub.
    type: str
    default: xraylab
requirements:
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
seealso:
  - module: xraylab.medical_diagnosis.managed_facility
"""

EXAMPLES = r"""
# north.managed_facilities.yml: facilities of one set, reached through the hub
plugin: xraylab.medical_diagnosis.managed_facilities
kubeconfig: ~/.kube/hub
label_selector: cluster.open-cluster-management.io/clusterset=clinics
group_by_labels: [tier, country]
connect_by: proxy
proxy_ca_cert: ~/hub-ingress-ca.crt

# Reached by the contexts of one kubeconfig, grouped by OpenShift's version as well
# plugin: xraylab.medical_diagnosis.managed_facilities
# context: hub
# compose:
#   xraylab_context: facility_name
#   xraylab_s3_endpoint: "'https://rgw.' ~ facility_labels.site"
# keyed_groups:
#   - {key: facility_claims['version.openshift.io'], prefix: openshift}
"""

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.xraylab.medical_diagnosis.plugins.plugin_utils import _managed_inventory as managed

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text is a template, but those marked unsafe

    def trust_as_template(value: str) -> str:
        return value


try:
    from ansible.utils.unsafe_proxy import wrap_var
except ImportError:  # since ansible-core 2.19 no text from elsewhere is a template

    def wrap_var(value: Any) -> Any:
        return value


AUTH = (
    "kubeconfig", "context", "host", "api_key", "username", "password", "validate_certs", "ca_cert", "client_cert",
    "client_key", "proxy", "no_proxy", "impersonate_user", "impersonate_groups",
)  # fmt: skip
PLAIN_AUTH = ("kubeconfig", "context", "host", "validate_certs", "ca_cert", "client_cert", "client_key", "proxy")
CLUSTERS = ("cluster.open-cluster-management.io/v1", "ManagedCluster")
DECISIONS = ("cluster.open-cluster-management.io/v1beta1", "PlacementDecision")
PROXY = {"namespace": "multicluster-engine", "name": "cluster-proxy-addon-user"}
ENDINGS = ("managed_facilities.yml", "managed_facilities.yaml")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Adds hosts, groups and variables; nothing of `all`."""

    NAME = "xraylab.medical_diagnosis.managed_facilities"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(ENDINGS)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        found = self.found(self.get_cache_key(path), cache)
        self.url = found.get("proxy_url", "")
        for entry in found["facilities"]:
            if self.get_option("local_cluster") or entry["metadata"]["name"] != managed.HUB_ITSELF:
                self.add(entry)

    def found(self, key: str, cache: bool) -> dict[str, Any]:
        """What the hub has, from the cache if that is to be used and has it."""
        caching = self.get_option("cache")
        if caching and cache and key in self.cache:
            return self.cache[key]
        found = self.fetch()
        if caching:
            self.cache[key] = found
        return found

    # The hub

    def fetch(self) -> dict[str, Any]:
        try:
            client = get_api_client(**{key: self.get_option(key) for key in AUTH})
        except Exception as error:  # kubernetes.core lets every error of its configuration through
            raise AnsibleParserError(self.say("connect", error)) from None
        selector = self.get_option("label_selector")
        clusters = self.objects(client, *CLUSTERS, **({"label_selector": selector} if selector else {}))
        decisions = self.objects(client, *DECISIONS) if self.get_option("placements") else []
        found = {"facilities": managed.trimmed(clusters, decisions)}
        if self.get_option("connect_by") == "proxy":
            found["proxy_url"] = self.get_option("proxy_url") or self.proxy_of(client)
        return found

    def objects(self, client: Any, api_version: str, kind: str, **query: str) -> list[managed.Object]:
        try:
            return client.resource(kind, api_version).get(**query).to_dict()["items"]
        except Exception as error:  # the client's errors have no class in common
            raise AnsibleParserError(self.say(f"read {kind} of {api_version}", error)) from None

    def proxy_of(self, client: Any) -> str:
        try:
            route = client.resource("Route", "route.openshift.io/v1").get(**PROXY)
            return f"https://{route.spec.host}"
        except Exception as error:
            raise AnsibleParserError(
                f"The hub's cluster-proxy was expected to have Route {PROXY['namespace']}/{PROXY['name']}, but: "
                f"{brief(error)}. Enable the add-on cluster-proxy in the MultiClusterHub, or set proxy_url."
            ) from None

    def say(self, deed: str, error: Exception) -> str:
        given = [key for key in ("kubeconfig", "context", "host") if self.get_option(key)]
        used = ", ".join(given) if given else "none given: K8S_AUTH_* variables or ~/.kube/config"
        return (
            f"Could not {deed} at the hub: {brief(error)}. Check that it is a hub with ManagedClusters, and its "
            f"address and credentials in this file (options used: {used})."
        )

    # The hosts

    def add(self, entry: managed.Object) -> None:
        name, strict = entry["metadata"]["name"], self.get_option("strict")
        host = self.inventory.add_host(self.get_option("host_format").replace("{name}", name), self.main_group())
        told = wrap_var(managed.variables(entry))
        for key, value in {**told, **self.way_to(name)}.items():
            self.inventory.set_variable(host, key, value)
        for group in managed.groups(entry, self.get_option("group_by_labels")):
            self.inventory.add_child(self.inventory.add_group(self._sanitize_group_name(group)), host)
        self._set_composite_vars(self.get_option("compose"), told, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), told, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), told, host, strict=strict)

    def main_group(self) -> str:
        return self.inventory.add_group(self.get_option("group"))

    def way_to(self, name: str) -> dict[str, Any]:
        way = self.get_option("connect_by")
        if way == "kubeconfig":
            return {"xraylab_kubeconfig": self.get_option("facility_kubeconfig").replace("{name}", name)}
        return {"xraylab_kubeconfig": self.through_hub(name)} if way == "proxy" else {}

    def through_hub(self, name: str) -> dict[str, Any]:
        if self.get_option("api_key") or self.get_option("password"):
            raise AnsibleParserError(
                "With connect_by proxy, each task reads a token from the hub, and api_key or password would have to be "
                "a variable of every host for it. Give K8S_AUTH_API_KEY in the environment, or use a kubeconfig."
            )
        hub = {key: self.get_option(key) for key in PLAIN_AUTH}
        token = trust_as_template(managed.token_template(name, self.get_option("service_account"), hub))
        return managed.proxied(name, self.url, self.get_option("proxy_ca_cert"), token)


def brief(error: Exception) -> str:
    """The client's errors quote headers and all."""
    reason, status = getattr(error, "reason", None), getattr(error, "status", None)
    return f"{status or ''} {reason}".strip() if isinstance(reason, str) else str(error).splitlines()[0].rstrip(".")
