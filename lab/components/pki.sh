# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The lab's certificates and kubeconfigs (EC P-256, ten years), made once.

pki_up() {
  [ -s "$KUBECONFIG" ] || pki_first
  [ -s "$PKI/quay.crt" ] || (cd "$PKI" && _cert quay ca /CN=quay "IP:$NODE_IP")
}

pki_first() {
  mkdir -p "$PKI"
  chmod 700 "$PKI"
  cd "$PKI"
  _ca ca
  _ca front-proxy-ca
  _key sa
  openssl ec -in sa.key -pubout -out sa.pub 2>/dev/null
  local names=DNS:localhost,DNS:kubernetes name
  for name in default svc cluster local; do names+=,DNS:${names##*DNS:}.$name; done
  _cert apiserver ca /CN=kube-apiserver "$names,IP:${SVC_CIDR%.*.*}.0.1,IP:$NODE_IP,IP:127.0.0.1"
  _cert apiserver-kubelet-client ca /O=system:masters/CN=apiserver-kubelet-client
  _cert front-proxy-client front-proxy-ca /CN=front-proxy-client
  _cert kubelet-serving ca "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$NODE_IP"
  _cert rgw ca /CN=rgw "IP:$NODE_IP"
  _user kubelet "/O=system:nodes/CN=system:node:$NODE" kubelet.kubeconfig
  for name in controller-manager scheduler proxy; do _user "$name" "/CN=system:kube-$name" "$name.kubeconfig"; done
  cp ca.crt "$LAB_HOME/ca.crt"
  _user admin /O=system:masters/CN=admin "$KUBECONFIG"
}

_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

_ca() {
  _key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=xraylab-$1" -days 3650 -out "$1.crt" -addext keyUsage=critical,keyCertSign,cRLSign
}

# _cert NAME CA SUBJECT [SUBJECT-ALT-NAMES]
_cert() {
  _key "$1"
  openssl req -new -key "$1.key" -subj "$3" | openssl x509 -req -CA "$2.crt" -CAkey "$2.key" -days 3650 \
    -set_serial "0x$(openssl rand -hex 8)" -out "$1.crt" -extfile <(
      echo extendedKeyUsage=clientAuth,serverAuth
      echo keyUsage=critical,digitalSignature
      echo "${4:+subjectAltName=$4}"
    )
}

# _user NAME SUBJECT FILE: a client certificate and the kubeconfig that holds it.
_user() {
  _cert "$1" ca "$2"
  (umask 077 && put "$3") <<Y
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://$NODE_IP:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: lab, context: {cluster: lab, user: $1}}]
current-context: lab
Y
}
