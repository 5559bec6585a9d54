# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034
# What the lab is made of: where its state and build products lie, its addresses, its versions. Sourced by every script.
export LAB_DIR=${BASH_SOURCE[0]%/*}
LAB_DIR=$(cd "$LAB_DIR" && pwd)
export LAB_HOME=${LAB_HOME:-/var/lib/xraylab} LAB_CACHE=${LAB_CACHE:-/var/cache/xraylab}
RUN=$LAB_HOME/run LOG=$LAB_HOME/log PKI=$LAB_HOME/pki

# The node has an address of its own on a bridge of its own: nothing listens on the machine's uplink.
export NODE=node1 NODE_IP=10.250.0.1 REGISTRY=10.250.0.1:5000
# Quay's port on the node, as the inventory tells its operator.
QUAY=10.250.0.1:30500
POD_CIDR=10.244.0.0/16 SVC_CIDR=10.96.0.0/16 DNS_IP=10.96.0.10
S3_PORT=7443 RELAY_PORT=9010 GIT_PORT=9011
export KUBECONFIG=$LAB_HOME/admin.kubeconfig
export CONTAINERD_ADDRESS=$RUN/containerd.sock CONTAINERD_NAMESPACE=k8s.io
export CEPH_CONF=$LAB_HOME/ceph/ceph.conf

# State of another layout is of no use: lab/up starts from nothing then.
LAYOUT=2
export KUBERNETES_VERSION=v1.37.2 KNATIVE_SERVING=1.15.2 KNATIVE_EVENTING=1.15.0
