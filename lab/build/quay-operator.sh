# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of Quay's stand-in, with Debian's registry.
# inputs: wheels.sh operators/quay operators/strimzi
# needs: python
# image: quay-operator
out=$1
. ./wheels.sh
wheels "$out/site" -r "operators/quay/requirements.txt"
install -D -m 0644 -t "$out/quay" operators/quay/*.py
install -D -m 0644 -t "$out/strimzi" operators/strimzi/{__init__,kube,work,conditions,store,topology,watching}.py
install -m 0644 "operators/quay/Containerfile" "$out/"
# packages.txt has Debian's package on this machine, as the lab's own registry needs it, too.
install -m 0755 /usr/bin/docker-registry "$out/"
