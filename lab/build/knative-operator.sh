# SPDX-License-Identifier: GPL-3.0-or-later
# The Knative Operator, the manifests it installs, and its own manifest rendered for the lab.
# inputs: go/operator go/env.sh env.sh
# needs: go
# lane: go
# images: operator-operator operator-webhook
. ./env.sh
. "$PWD/go/env.sh"
out=$1
cd go/operator
go build -trimpath -ldflags '-s -w' -o "$out/build/" knative.dev/operator/cmd/{operator,webhook}
module=$(go list -m -f '{{.Dir}}' knative.dev/operator)
mkdir "$out"/operator-{operator,webhook}
go_context "$out/operator-webhook" "$out/build/webhook"
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
# config/rbac/fake_* reuse the names of real bindings.
for file in "$module"/config/{000-namespace.yaml,crd/bases/*.yaml,rbac/*.yaml,manager/[co]*.yaml,webhook/w*.yaml}; do
  case ${file##*/} in kustomization.yaml | fake_*) ;; *) echo --- && cat "$file" ;; esac
done | sed -E 's#ko://knative.dev/operator/cmd/([a-z]+)#@image:operator-\1@#' >"$out/operator.yaml"
# Not grep's word alone: a reference that nothing fills in must end the build here, not as ImagePullBackOff.
! grep -n 'ko://' "$out/operator.yaml"
rm -r "$out/build"
