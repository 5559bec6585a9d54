# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of the Strimzi stand-in's operator.
# inputs: wheels.sh operators/strimzi
# needs: python
# image: strimzi-operator
out=$1
. ./wheels.sh
wheels "$out/site" -r "operators/strimzi/requirements.txt"
install -D -m 0644 -t "$out/strimzi" operators/strimzi/*.py
install -m 0644 "operators/strimzi/Containerfile" "$out/"
