# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of the stand-in for Advanced Cluster Management, with the manifests of OCM's operators that it applies.
# inputs: wheels.sh operators/acm operators/strimzi catalog/crds/klusterletaddonconfigs.agent.open-cluster-management.io.yaml
# needs: python ocm
# image: acm-operator
out=$1
: "${NEED_OCM:?the folder of the product ocm}"
. ./wheels.sh
wheels "$out/site" -r "operators/acm/requirements.txt"
install -D -m 0644 -t "$out/acm" operators/acm/*.py
install -D -m 0644 -t "$out/strimzi" operators/strimzi/{__init__,kube,work,conditions,store,topology,watching}.py
install -D -m 0644 -t "$out/manifests" "$NEED_OCM"/operator/*.yaml
install -m 0644 catalog/crds/klusterletaddonconfigs.agent.open-cluster-management.io.yaml "$out/manifests/klusterletaddonconfigs.crd.yaml"
install -m 0644 "operators/acm/Containerfile" "$out/"
