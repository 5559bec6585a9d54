# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Knative Serving and Eventing through the real Knative Operator, from the resources that OpenShift Serverless uses too.

knative_up() {
  wait_for 60 "the Knative Operator's webhook takes resources" \
    bash -euo pipefail -c '. "$0/env.sh"; . "$0/lib.sh"; fill "$0/manifests/knative.yaml" | apply -' "$LAB_DIR"
  kubectl -n knative-serving wait --for=condition=Ready knativeserving/knative-serving --timeout=300s
  kubectl -n knative-eventing wait --for=condition=Ready knativeeventing/knative-eventing --timeout=300s
}
