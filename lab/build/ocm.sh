# SPDX-License-Identifier: GPL-3.0-or-later
# Open Cluster Management, hub and spoke, in one binary (OUT/bin/ocm) and one image, and upstream's own manifests:
# OUT/hub and OUT/spoke are what its operators make CRDs of, OUT/operator what runs the operators: <cluster-manager|klusterlet>.yaml.
# inputs: go/ocm go/env.sh
# needs: go
# lane: go
# images: open-cluster-management
. "$PWD/go/env.sh"
out=$1
cd go/ocm
go build -trimpath -ldflags '-s -w' -o "$out/bin/ocm" .
ocm=$(go list -m -f '{{.Dir}}' open-cluster-management.io/ocm)
mkdir "$out"/{hub,spoke,operator,open-cluster-management}
install -m 0644 "$ocm"/manifests/cluster-manager/hub/*.crd.yaml "$out/hub"
install -m 0644 "$ocm"/manifests/klusterlet/managed/0000_0*.crd.yaml "$out/spoke"
# The chart's documents of the roles for agents that bootstrap by a service account; sed does for its two placeholders.
for part in cluster_role sa sa_cluster_role_binding; do
  sed '/^{{-/d; s/{{ .Release.Namespace }}/open-cluster-management/' \
    "$ocm/deploy/cluster-manager/chart/cluster-manager/templates/bootstrap_$part.yaml"
  echo ---
done >"$out/hub/bootstrap.yaml"
for name in cluster-manager klusterlet; do
  cat "$ocm/deploy/$name/config/crds"/*.crd.yaml >"$out/operator/${name}s.crd.yaml"
  for part in operator/service_account rbac/cluster_role rbac/cluster_role_binding operator/operator; do
    echo ---
    cat "$ocm/deploy/$name/config/$part.yaml"
  done >"$out/operator/$name.yaml"
done
go_context "$out/open-cluster-management" "$out/bin/ocm"
