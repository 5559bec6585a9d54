# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of the stand-in for Open Data Hub.
# inputs: wheels.sh operators/opendatahub operators/strimzi
# needs: python
# image: opendatahub-operator
out=$1
. ./wheels.sh
wheels "$out/site" -r "operators/opendatahub/requirements.txt"
install -D -m 0644 -t "$out/opendatahub" operators/opendatahub/*.py
install -D -m 0644 -t "$out/strimzi" operators/strimzi/{__init__,kube,work,conditions,store,topology,watching}.py
install -m 0644 "operators/opendatahub/Containerfile" "$out/"
