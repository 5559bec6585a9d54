# SPDX-License-Identifier: GPL-3.0-or-later
# The Knative Operator with the manifests it installs, and its CRDs.
# inputs: go/operator go/env.sh env.sh
# needs: go
# lane: go
# images: operator-operator
. ./env.sh
. "$PWD/go/env.sh"
out=$1
cd go/operator
go build -trimpath -ldflags '-s -w' -o "$out/build/" knative.dev/operator/cmd/operator
module=$(go list -m -f '{{.Dir}}' knative.dev/operator)
mkdir "$out"/{operator-operator,crds}
go_context "$out/operator-operator" "$out/build/operator"
cp -r "$module/cmd/operator/kodata" "$out/operator-operator/kodata"
chmod -R u+w "$out/operator-operator/kodata"
for part in serving:$KNATIVE_SERVING eventing:$KNATIVE_EVENTING; do
  find "$out/operator-operator/kodata/knative-${part%:*}" -mindepth 1 -maxdepth 1 ! -name "${part#*:}" -exec rm -r {} +
done
cat >>"$out/operator-operator/Containerfile" <<'C'
COPY kodata /kodata
ENV KO_DATA_PATH=/kodata
C
# A tab before a text is YAML to Go, but not to PyYAML.
for file in "$module"/config/crd/bases/operator.knative.dev_*.yaml; do tr '\t' ' ' <"$file" >"$out/crds/${file##*/}"; done
rm -r "$out/build"
