# SPDX-License-Identifier: GPL-3.0-or-later
# Kubernetes, etcd and kubectl as one binary; the images that the node itself needs.
# inputs: go/kube go/env.sh env.sh
# needs: go
# lane: go
# images: coredns pause local-path-provisioner
. ./env.sh
. "$PWD/go/env.sh"
out=$1
cd go/kube
# Without the stamp the servers call themselves v0.0.0-master+$Format:%H$, which kubectl and Knative's version check refuse.
minor=${KUBERNETES_VERSION#v1.}
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  stamp="${stamp-} -X $package.gitVersion=$KUBERNETES_VERSION -X $package.gitMajor=1 -X $package.gitMinor=${minor%.*}"
  stamp+=" -X $package.gitTreeState=clean -X $package.gitCommit=module -X $package.buildDate=1970-01-01T00:00:00Z"
done
go build -trimpath -ldflags "-s -w $stamp" -o "$out/bin/kube" .
for name in etcd kubectl; do ln -s kube "$out/bin/$name"; done
mkdir "$out"/{coredns,pause,local-path-provisioner}
go build -trimpath -ldflags '-s -w' -o "$out/build/" ./coredns ./pause github.com/rancher/local-path-provisioner
for name in coredns pause local-path-provisioner; do go_context "$out/$name" "$out/build/$name"; done
rm -r "$out/build"
