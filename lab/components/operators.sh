# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# DNS, the storage class, the ingress, monitoring, and OLM with the catalogs that an OpenShift cluster has from the start.

operators_up() {
  # CRDs first and all at once; what follows needs them.
  apply "$PRODUCT_PROMETHEUS_STACK/crds" -f "$PRODUCT_OLM/crds"
  kubectl wait --for=condition=Established -f "$PRODUCT_PROMETHEUS_STACK/crds" -f "$PRODUCT_OLM/crds" --timeout=60s
  local file
  for file in "$LAB_DIR"/manifests/*.yaml; do fill "$file" | apply -; done
  operators_ceph_details | apply -
  operators_catalog redhat-operators
  operators_catalog community-operators
  # What an inventory has to tell Knative's operator here.
  fill "$LAB_DIR/conf/knative.yml.in" | put "$LAB_HOME/knative.yml"
  operators_ready kube-system local-path-storage traefik monitoring openshift-operator-lifecycle-manager openshift-marketplace
  kubectl -n monitoring wait --for=condition=Available prometheus/cluster --timeout=180s
  kubectl -n openshift-marketplace wait --for=jsonpath='{.status.connectionState.lastObservedState}'=READY \
    catalogsource/redhat-operators catalogsource/community-operators --timeout=120s
  # What a removal has to come back to.
  kubectl get namespace openshift-serverless >/dev/null 2>&1 || "$LAB_DIR/objects" >"$LAB_HOME/bare.txt"
}

# What a cluster gets of a Ceph outside of it: the Secret that Data Foundation's external mode reads. Rook's script for this
# (create-external-cluster-resources.py) prints more entries, of which the lab's stand-in uses none.
operators_ceph_details() {
  python3 - "$LAB_HOME" "$NODE_IP:$S3_PORT" <<'PY'
import json, pathlib, sys

home, endpoint = pathlib.Path(sys.argv[1]), sys.argv[2]
admin = json.loads((home / "ceph/admin.json").read_text())
details = [
    {"kind": "StorageClass", "name": "ceph-rgw", "data": {"endpoint": endpoint, "poolPrefix": "default"}},
    {"kind": "Secret", "name": "rgw-admin-ops-user", "data": {"accessKey": admin["access_key"], "secretKey": admin["secret_key"]}},
    {"kind": "Secret", "name": "ceph-rgw-tls-cert", "data": {"cert": (home / "ca.crt").read_text()}},
]
meta = {"name": "rook-ceph-external-cluster-details", "namespace": "openshift-storage"}
print(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"external_cluster_details": json.dumps(details)}}))
PY
}

# operators_catalog SOURCE: serves the bundles of catalog/SOURCE as the catalog of that name.
operators_catalog() {
  local bundles=$RUN/bundles/$1 out=$LAB_HOME/catalogs/$1 file
  rm -rf "$bundles"
  mkdir -p "$bundles"
  for file in "$LAB_DIR/catalog/$1"/*.yaml; do fill "$file" >"$bundles/${file##*/}"; done
  "$(<"$PRODUCT_VENV/bin")/python" "$LAB_DIR/catalog/catalog.py" "$bundles" "$out" "$PRODUCT_STRIMZI_CRDS" \
    "$PRODUCT_EVENTING_KAFKA_CRDS" "$PRODUCT_GRAFANA_CRDS" "$PRODUCT_ROOK_CRDS" "$PRODUCT_KNATIVE_OPERATOR/crds" \
    "$PRODUCT_OPENDATAHUB_CRDS" "$PRODUCT_ARGOCD_CRDS" "$LAB_DIR/catalog/crds"
  fill "$LAB_DIR/catalog/source.yaml" | sed "s#@SOURCE@#$1#g; s#@CONTENT@#$(sha256sum <"$out/catalog.json" | cut -c1-12)#" | apply -
}

# operators_ready NAMESPACE...: every Deployment there is rolled out.
operators_ready() {
  local namespace
  for namespace; do kubectl -n "$namespace" rollout status deployment --timeout=180s; done
}
