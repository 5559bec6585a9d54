# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# DNS, the storage class, the ingress, and the operators that an OpenShift cluster would get from OperatorHub.

operators_up() {
  # CRDs first and all at once; what follows needs them.
  apply "$PRODUCT_STRIMZI_CRDS" -f "$PRODUCT_EVENTING_KAFKA_CRDS" -f "$PRODUCT_PROMETHEUS_STACK/crds" -f "$PRODUCT_GRAFANA_CRDS"
  kubectl wait --for=condition=Established -f "$PRODUCT_PROMETHEUS_STACK/crds" --timeout=60s
  local file
  for file in "$LAB_DIR"/manifests/*.yaml; do
    case ${file##*/} in knative.yaml) ;; *) fill "$file" | apply - ;; esac
  done
  fill "$PRODUCT_KNATIVE_OPERATOR/operator.yaml" | apply -
  operators_ready kube-system local-path-storage traefik strimzi eventing-kafka grafana knative-operator monitoring
  kubectl -n monitoring wait --for=condition=Available prometheus/cluster --timeout=180s
}

# operators_ready NAMESPACE...: every Deployment there is rolled out.
operators_ready() {
  local namespace
  for namespace; do kubectl -n "$namespace" rollout status deployment --timeout=180s; done
}
