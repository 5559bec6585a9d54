# SPDX-License-Identifier: GPL-3.0-or-later
# CRDs of the kinds that the stand-in for Open Data Hub knows, out of the operator's and KServe's modules: OUT/<group>_<plural>.yaml.
# inputs: go/env.sh
# needs: go
out=$1
: "${LAB_CACHE:?}" "${NEED_GO:?the folder of the product go}"
# shellcheck source=/dev/null
. ./go/env.sh
# folder MODULE: where it lies. Outside of any module, so nobody's go.mod is touched.
folder() { (cd /tmp && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); }
hub=$(folder github.com/opendatahub-io/opendatahub-operator/v2@v2.10.0)
kserve=$(folder github.com/kserve/kserve@v0.15.0)
install -m 0644 -t "$out" "$hub/config/crd/bases/datasciencecluster.opendatahub.io_datascienceclusters.yaml" \
  "$hub/config/crd/bases/dscinitialization.opendatahub.io_dscinitializations.yaml" \
  "$kserve/config/crd/full/serving.kserve.io_inferenceservices.yaml"
