# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The node's bridge and address, and the fence that keeps pod traffic off the machine's uplink.

network_up() {
  # While no pod is there, make /run/netns a shared mount: a later `ip netns add` (anyone's) would else bind it over itself,
  # and pods would stay Terminating ("unlinkat ...: device or resource busy").
  mkdir -p /run/netns
  if ! mountpoint -q /run/netns && ! compgen -G '/run/netns/cni-*' >/dev/null; then
    mount --bind /run/netns /run/netns
    mount --make-shared /run/netns
    touch "$LAB_HOME/netns-mounted"
  fi
  ip link show xraylab0 >/dev/null 2>&1 || ip link add xraylab0 type bridge
  ip addr replace "$NODE_IP/32" dev xraylab0
  ip link set xraylab0 up
  ip route replace "$SVC_CIDR" dev xraylab0 src "$NODE_IP"
  sysctl -qw net.ipv4.ip_forward=1
  nft -f - <<N
table inet xraylab-fence
delete table inet xraylab-fence
table inet xraylab-fence {
  chain forward {
    type filter hook forward priority -10
    ip saddr $POD_CIDR ip daddr != { $POD_CIDR, $SVC_CIDR, $NODE_IP } reject
  }
}
N
}

network_down() {
  local name
  for name in cni0 xraylab0; do ip link del "$name" 2>/dev/null || true; done
  for name in "ip kube-proxy" "ip6 kube-proxy" "inet xraylab-fence"; do
    # shellcheck disable=SC2086
    nft delete table $name 2>/dev/null || true
  done
  if [ -e "$LAB_HOME/netns-mounted" ] && ! compgen -G '/run/netns/*' >/dev/null; then
    umount /run/netns || true
    rm -f "$LAB_HOME/netns-mounted"
  fi
}
