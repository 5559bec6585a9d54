# SPDX-License-Identifier: GPL-3.0-or-later
# The Grafana Operator's CRDs of the kinds that its stand-in knows, out of the operator's module: OUT/<group>_<plural>.yaml.
# inputs: go/env.sh
# needs: go
out=$1 module=github.com/grafana/grafana-operator/v5@v5.18.0
: "${LAB_CACHE:?}" "${NEED_GO:?the folder of the product go}"
# shellcheck source=/dev/null
. ./go/env.sh
# Outside of any module, so nobody's go.mod is touched.
folder=$(cd /tmp && go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
for kind in grafanas grafanadatasources grafanadashboards; do
  install -D -m 0644 -t "$out" "$folder/config/crd/bases/grafana.integreatly.org_$kind.yaml"
done
