# SPDX-License-Identifier: GPL-3.0-or-later
"""Where clients find a cluster: advertised addresses, certificate names, status.listeners. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .manifests import broker_service
from .topology import Cluster, Listener, Node
from .work import Failure

# The order in which Strimzi looks at a node's addresses.
ADDRESS_ORDER = ("ExternalDNS", "ExternalIP", "InternalDNS", "InternalIP", "Hostname")


def node_address(nodes: list[dict[str, Any]], preferred: str | None = None) -> str:
    """The address of the first node, by Strimzi's order or the listener's preferredNodePortAddressType."""
    order = (preferred, *ADDRESS_ORDER) if preferred else ADDRESS_ORDER
    for node in nodes:
        found = {a["type"]: a["address"] for a in node.get("status", {}).get("addresses") or []}
        for kind in order:
            if kind in found:
                return found[kind]
    raise Failure("NoAddress", f"none of {len(nodes)} Kubernetes nodes has an address of a type in {list(order)}")


def node_ports(bodies: list[dict[str, Any]]) -> dict[str, int]:
    """The node port of each NodePort service, by service name."""
    return {
        b["metadata"]["name"]: b["spec"]["ports"][0]["nodePort"] for b in bodies if b["spec"].get("type") == "NodePort"
    }


def advertised(cluster: Cluster, node: Node, ports: Mapping[str, int], nodes: list[dict[str, Any]]) -> dict[str, str]:
    """host:port that a broker announces for each listener."""
    return {
        listener.key: "{}:{}".format(*_broker_address(cluster, listener, node, ports, nodes))
        for listener in cluster.listeners
    }


def _broker_address(
    cluster: Cluster, listener: Listener, node: Node, ports: Mapping[str, int], nodes: list[dict[str, Any]]
) -> tuple[str, int]:
    override = listener.broker(node.id)
    if listener.type == "nodeport":
        host = override.get("advertisedHost") or external_host(listener, nodes)
        return host, override.get("advertisedPort") or ports[broker_service(cluster, listener, node)]
    return override.get("advertisedHost") or node.host, override.get("advertisedPort") or listener.port


def external_host(listener: Listener, nodes: list[dict[str, Any]]) -> str:
    return node_address(nodes, listener.configuration.get("preferredNodePortAddressType"))


def certificate_hosts(cluster: Cluster, node: Node, nodes: list[dict[str, Any]]) -> list[str]:
    """Every name or address under which a client may reach this broker."""
    names = [cluster.bootstrap, cluster.brokers]
    hosts: list[str] = [node.host, f"{node.host}.cluster.local"]
    for listener in cluster.listeners:
        configuration = listener.configuration
        hosts += (configuration.get("bootstrap") or {}).get("alternativeNames") or []
        if listener.broker(node.id).get("advertisedHost"):
            hosts.append(listener.broker(node.id)["advertisedHost"])
        if listener.type == "nodeport":
            names += [cluster.external_bootstrap(listener), broker_service(cluster, listener, node)]
            hosts.append(external_host(listener, nodes))
    for name in names:
        hosts += [name, f"{name}.{cluster.namespace}"]
        hosts += [f"{name}.{cluster.namespace}.svc", f"{name}.{cluster.namespace}.svc.cluster.local"]
    return sorted(set(hosts))


def listener_status(
    cluster: Cluster, ports: Mapping[str, int], nodes: list[dict[str, Any]], ca_certificate: str
) -> list[dict[str, Any]]:
    """status.listeners as Strimzi writes it."""
    return [_one_status(cluster, i, ports, nodes, ca_certificate) for i in cluster.listeners]


def _one_status(
    cluster: Cluster, listener: Listener, ports: Mapping[str, int], nodes: list[dict[str, Any]], ca: str
) -> dict[str, Any]:
    host, port = f"{cluster.bootstrap}.{cluster.namespace}.svc", listener.port
    if listener.type == "nodeport":
        host, port = external_host(listener, nodes), ports[cluster.external_bootstrap(listener)]
    return {
        "name": listener.name,
        "addresses": [{"host": host, "port": port}],
        "bootstrapServers": f"{host}:{port}",
        **({"certificates": [ca]} if listener.tls else {}),
    }
