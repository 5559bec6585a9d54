# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# One-node Kubernetes as plain processes: etcd, containerd, the image registry, the servers, kubelet and kube-proxy.

kubernetes_up() {
  local bin=$LAB_HOME/bin
  export PATH=$bin:$PATH
  mkdir -p "$RUN"/volume-plugins "$LAB_HOME"/volumes
  ln -sfn "$PRODUCT_KUBE/bin" "$bin"
  ulimit -n 65536 2>/dev/null || true
  kubernetes_configure
  # State that a killed lab left in the kernel: its processes are gone, its mounts and pod networks are not.
  running containerd || kubernetes_sweep
  # No fsync: the lab survives its own processes' deaths, not the machine's power.
  start etcd "$bin/etcd" --data-dir "$LAB_HOME/etcd" --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --log-level warn --unsafe-no-fsync
  start containerd containerd --config "$RUN/containerd.toml"
  start registry docker-registry serve "$RUN/registry.yaml"
  kubernetes_servers "$bin"
  wait_for 30 "containerd answers" ctr version
  local image
  for image in pause coredns; do # what the node needs before it can pull
    kubernetes_import "$image"
  done
  wait_for 90 "the API server is ready" kubectl get --raw /readyz
  start kubelet "$bin/kube" kubelet --config "$RUN/kubelet.yaml" --kubeconfig "$PKI/kubelet.kubeconfig" \
    --root-dir "$LAB_HOME/kubelet" --cert-dir "$RUN/kubelet-pki" --hostname-override "$NODE" --node-ip "$NODE_IP"
  start proxy "$bin/kube" kube-proxy --config "$RUN/proxy.yaml"
  wait_for 60 "the node is registered" kubectl get node "$NODE"
  kubectl wait --for=condition=Ready "node/$NODE" --timeout=90s
}

kubernetes_servers() {
  local bin=$1
  start apiserver "$bin/kube" kube-apiserver --bind-address "$NODE_IP" --advertise-address "$NODE_IP" --secure-port 6443 \
    --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range "$SVC_CIDR" --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction --allow-privileged=true --profiling=false \
    --client-ca-file "$PKI/ca.crt" --tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" \
    --kubelet-certificate-authority "$PKI/ca.crt" --kubelet-preferred-address-types InternalIP \
    --kubelet-client-certificate "$PKI/apiserver-kubelet-client.crt" --kubelet-client-key "$PKI/apiserver-kubelet-client.key" \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$PKI/sa.pub" --service-account-signing-key-file "$PKI/sa.key" \
    --requestheader-client-ca-file "$PKI/front-proxy-ca.crt" --requestheader-allowed-names front-proxy-client \
    --requestheader-extra-headers-prefix X-Remote-Extra- --requestheader-group-headers X-Remote-Group \
    --requestheader-username-headers X-Remote-User --enable-aggregator-routing=true \
    --proxy-client-cert-file "$PKI/front-proxy-client.crt" --proxy-client-key-file "$PKI/front-proxy-client.key"
  wait_for 90 "the API server answers" kubectl get --raw /livez
  start controller-manager "$bin/kube" kube-controller-manager --kubeconfig "$PKI/controller-manager.kubeconfig" \
    --authentication-kubeconfig "$PKI/controller-manager.kubeconfig" --authorization-kubeconfig "$PKI/controller-manager.kubeconfig" \
    --root-ca-file "$PKI/ca.crt" --service-account-private-key-file "$PKI/sa.key" --use-service-account-credentials \
    --cluster-signing-cert-file "$PKI/ca.crt" --cluster-signing-key-file "$PKI/ca.key" \
    --bind-address 127.0.0.1 --leader-elect=false --profiling=false
  start scheduler "$bin/kube" kube-scheduler --kubeconfig "$PKI/scheduler.kubeconfig" --bind-address 127.0.0.1 \
    --authentication-kubeconfig "$PKI/scheduler.kubeconfig" --authorization-kubeconfig "$PKI/scheduler.kubeconfig" \
    --leader-elect=false --profiling=false
}

kubernetes_configure() {
  local file
  for file in containerd.toml kubelet.yaml proxy.yaml registry.yaml cni.conflist; do
    fill "$LAB_DIR/conf/$file.in" |
      put "$RUN/$([ "$file" = cni.conflist ] && echo cni/10-pods.conflist || echo "$file")"
  done
  : >"$RUN/resolv.conf" # empty: pods know no server outside
  put "$RUN/certs.d/$REGISTRY/hosts.toml" <<<"server = \"http://$REGISTRY\"
[host.\"http://$REGISTRY\"]
  capabilities = [\"pull\", \"resolve\"]"
  # The hub's Quay; its certificate is of the lab's authority, as OpenShift's nodes learn one from image.config.openshift.io.
  put "$RUN/certs.d/$QUAY/hosts.toml" <<<"server = \"https://$QUAY\"
[host.\"https://$QUAY\"]
  capabilities = [\"pull\", \"resolve\"]
  ca = \"$LAB_HOME/ca.crt\""
}

# kubernetes_import IMAGE: puts one image of ours into containerd by its registry name.
kubernetes_import() {
  local layout reference
  read -r layout reference < <(grep -F "/lab/$1:" "$LAB_HOME/images.list")
  [ -z "$(ctr images ls -q "name==$reference")" ] || return 0
  skopeo copy -q "oci:$layout:latest" "docker-archive:$RUN/import.tar:$reference"
  ctr images import "$RUN/import.tar"
  rm "$RUN/import.tar"
}

kubernetes_down() {
  stop kubelet proxy scheduler controller-manager
  if running containerd; then
    local id
    for id in $(ctr tasks ls -q); do ctr tasks kill -s KILL "$id" || true; done
    for id in $(ctr tasks ls -q); do ctr tasks rm -f "$id" || true; done
    for id in $(ctr containers ls -q); do ctr containers rm "$id" || true; done
  fi
  stop apiserver etcd registry containerd
  kubernetes_sweep
}

# Removes what pods leave in the kernel when nobody ends them: their shims, mounts, networks and control groups.
kubernetes_sweep() {
  local pid mount name from
  for pid in $(pgrep -f "containerd-shim-runc-v2 .*-address $RUN/containerd.sock" || true); do
    pkill -KILL -P "$pid" || true
    kill -9 "$pid" || true
  done
  while read -r mount; do umount -l "$mount" || true; done < <(awk -v run="$LAB_HOME/" 'index($2, run) == 1 {print $2}' /proc/mounts | sort -r)
  # Our pods' networks alone: the CNI's address book names them by container, a veth of our bridge by namespace.
  for name in $(ip -o link show master cni0 2>/dev/null | grep -oP 'link-netns \K\S+' || true); do ip netns del "$name" || true; done
  for from in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods; do
    [ ! -d "$from" ] || find "$from" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
