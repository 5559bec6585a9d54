# SPDX-License-Identifier: GPL-3.0-or-later
# Prometheus, the Prometheus Operator with its configuration reloader, kube-state-metrics: one Go module, so they share packages.
# OUT/crds holds the Operator's CRDs of the kinds that the lab serves.
# inputs: go/prometheus go/env.sh
# needs: go
# lane: go
# images: prometheus prometheus-operator prometheus-config-reloader kube-state-metrics
. ./env.sh
. "$PWD/go/env.sh"
out=$1
cp -r go/prometheus "$out/source"
cd "$out/source"
# Prometheus links the SDKs of two dozen clouds to find targets there, four times the code: this one finds them in Kubernetes.
folder() { (cd /tmp && go mod download -json "$1") | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'; }
cp -r "$(folder github.com/prometheus/prometheus@v0.305.0)" prometheus
chmod -R u+w prometheus
mv kubernetes_only.go.txt prometheus/plugins/plugins.go
# It shares the Operator's newer client-go, where this one call has got a context.
sed -i 's/cache.DefaultWatchErrorHandler(r, err)/cache.DefaultWatchErrorHandler(context.Background(), r, err)/' \
  prometheus/discovery/kubernetes/kubernetes.go
version=github.com/prometheus/common/version
go build -trimpath -ldflags "-s -w -X $version.Version=3.5.0" -o "$out/build/" github.com/prometheus/prometheus/cmd/prometheus
go build -trimpath -ldflags "-s -w -X $version.Version=0.85.0" -o "$out/build/" \
  github.com/prometheus-operator/prometheus-operator/cmd/{operator,prometheus-config-reloader}
go build -trimpath -ldflags "-s -w -X $version.Version=v2.15.0" -o "$out/build/kube-state-metrics" k8s.io/kube-state-metrics/v2
mv "$out/build/operator" "$out/build/prometheus-operator"
cd "$out"
for binary in build/*; do
  mkdir "${binary#build/}"
  go_context "${binary#build/}" "$binary"
done
# The Operator starts the reloader by this name.
echo 'COPY app /bin/prometheus-config-reloader' >>prometheus-config-reloader/Containerfile
mkdir crds
crds=$(folder github.com/prometheus-operator/prometheus-operator@v0.85.0)/example/prometheus-operator-crd
for kind in prometheuses servicemonitors podmonitors probes prometheusrules; do
  install -m 0644 "$crds/monitoring.coreos.com_$kind.yaml" crds/
done
rm -r source build
