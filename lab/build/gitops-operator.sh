# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of the stand-in for the operator of OpenShift GitOps.
# inputs: wheels.sh operators/gitops operators/strimzi
# needs: python
# image: gitops-operator
out=$1
. ./wheels.sh
wheels "$out/site" -r "operators/gitops/requirements.txt"
install -D -m 0644 -t "$out/gitops" operators/gitops/*.py operators/gitops/parts.yaml
install -D -m 0644 -t "$out/strimzi" operators/strimzi/{__init__,kube,work,conditions,store,topology,watching}.py
install -m 0644 "operators/gitops/Containerfile" "$out/"
