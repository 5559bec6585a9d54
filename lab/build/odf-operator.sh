# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of the stand-in for OpenShift Data Foundation.
# inputs: wheels.sh operators/odf operators/strimzi
# needs: python
# image: odf-operator
out=$1
. ./wheels.sh
wheels "$out/site" -r "operators/odf/requirements.txt"
install -D -m 0644 -t "$out/odf" operators/odf/*.py
install -D -m 0644 -t "$out/strimzi" operators/strimzi/{__init__,kube,work,conditions,store,topology,watching}.py
install -m 0644 "operators/odf/Containerfile" "$out/"
