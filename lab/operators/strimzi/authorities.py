# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secrets of a cluster's certificates: authorities, brokers, the operator. Kept; issued again when names change."""

from __future__ import annotations

import base64
from typing import Any

from . import pki
from .admin import Credentials
from .kube import Api, path_of
from .manifests import Manifest, labels, secret
from .topology import Cluster, Pool


def secret_data(body: dict[str, Any] | None) -> dict[str, bytes]:
    """A Secret's data, decoded; empty for a Secret that is not there."""
    return {key: base64.b64decode(value) for key, value in ((body or {}).get("data") or {}).items()}


class Authorities:
    """Keeps one cluster's certificate Secrets."""

    def __init__(self, api: Api, cluster: Cluster, owners: list[Manifest]) -> None:
        self._api, self._cluster, self._owners = api, cluster, owners

    async def _read(self, name: str) -> dict[str, bytes]:
        return secret_data(await self._api.get(path_of("v1", "secrets", self._cluster.namespace, name)))

    async def _write(self, name: str, data: dict[str, bytes], create: bool = False) -> dict[str, bytes]:
        body = secret(name, self._cluster.namespace, data, self._owners, labels(self._cluster))
        return secret_data(await (self._api.create(body) if create else self._api.apply(body)))

    async def authority(self, kind: str) -> pki.Pair:
        """The authority `kind` (cluster-ca, clients-ca). Its key is written first: a crash in between loses nothing."""
        name = f"{self._cluster.name}-{kind}"
        key = (await self._read(name)).get("ca.key") or (await self._write(name, {"ca.key": pki.new_key()}, True))[
            "ca.key"
        ]
        kept = await self._read(f"{name}-cert")
        if "ca.crt" not in kept:
            password, ca = pki.password(12), pki.authority(f"{kind} v0", key)
            store = pki.truststore(ca.certificate, password)
            data = {"ca.crt": ca.certificate, "ca.p12": store, "ca.password": password.encode()}
            kept = await self._write(f"{name}-cert", data, create=True)
        return pki.Pair(kept["ca.crt"], key)

    async def operator(self, ca: pki.Pair) -> Credentials:
        """The operator's own certificate, subject CN=cluster-operator."""
        name = f"{self._cluster.name}-cluster-operator-certs"
        kept = await self._read(name)
        pair = pki.Pair(kept.get("cluster-operator.crt", b""), kept.get("cluster-operator.key", b""))
        if not pair.certificate or not pki.serves(pair, ca, []):
            pair = pki.issue(ca, "cluster-operator", [])
            await self._write(name, {"cluster-operator.crt": pair.certificate, "cluster-operator.key": pair.key})
        return Credentials(ca.certificate, pair.certificate, pair.key)

    async def exporter(self, ca: pki.Pair) -> str:
        """The Secret of the exporter's certificate, subject CN=<cluster>-kafka-exporter; answers its hash."""
        name = self._cluster.exporter
        kept = await self._read(f"{name}-certs")
        pair = pki.Pair(kept.get("kafka-exporter.crt", b""), kept.get("kafka-exporter.key", b""))
        if not pair.certificate or not pki.serves(pair, ca, []):
            pair = pki.issue(ca, name, [])
        data = {"ca.crt": ca.certificate, "kafka-exporter.crt": pair.certificate, "kafka-exporter.key": pair.key}
        if data != kept:
            await self._write(f"{name}-certs", data)
        return pki.fingerprint(*data.values())

    async def brokers(self, pool: Pool, hosts: dict[str, list[str]], ca: pki.Pair, clients: pki.Pair) -> str:
        """The pool's Secret of keystores (<pod>.pem) and authorities; answers a hash of what clients can see of it."""
        name = f"{self._cluster.workload(pool)}-certs"
        kept = await self._read(name)
        data = {"cluster-ca.crt": ca.certificate, "clients-ca.crt": clients.certificate}
        for pod, names in hosts.items():
            pem = kept.get(f"{pod}.pem")
            good = pem is not None and pki.serves(pki.split(pem), ca, names)
            data[f"{pod}.pem"] = pem if pem and good else pki.issue(ca, f"{self._cluster.name}-kafka", names).keystore
        if data != kept:
            await self._write(name, data)
        return pki.fingerprint(*(data[key] for key in sorted(data)))
