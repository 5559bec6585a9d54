# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of the Grafana Operator's stand-in.
# inputs: wheels.sh operators/grafana operators/strimzi
# needs: python
# image: grafana-operator
out=$1
. ./wheels.sh
wheels "$out/site" -r "operators/grafana/requirements.txt"
install -D -m 0644 -t "$out/grafana" operators/grafana/*.py
install -D -m 0644 -t "$out/strimzi" operators/strimzi/{__init__,kube,work,conditions,store,topology,watching}.py
install -m 0644 "operators/grafana/Containerfile" "$out/"
