# SPDX-License-Identifier: GPL-3.0-or-later
# Argo CD's CRDs and its operator's of ArgoCD, out of their modules: OUT/<plural>.yaml. Without descriptions and with the stored
# version only: an InstallPlan holds all of a package's CRDs and has to fit into 1.5 MiB.
# inputs: go/env.sh
# needs: go venv
out=$1
: "${LAB_CACHE:?}" "${NEED_GO:?the folder of the product go}" "${NEED_VENV:?the folder of the product venv}"
# shellcheck source=/dev/null
. ./go/env.sh
# Outside of any module, so nobody's go.mod is touched.
folder() { (cd /tmp && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); }
argo=$(folder github.com/argoproj/argo-cd/v2@v2.14.21)/manifests/crds
operator=$(folder github.com/argoproj-labs/argocd-operator@v0.15.0)/config/crd/bases
"$(<"$NEED_VENV/bin")/python" - "$out" "$argo"/{application,applicationset,appproject}-crd.yaml "$operator/argoproj.io_argocds.yaml" <<'P'
import json, pathlib, sys, yaml

def plain(value):
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {k: plain(v) for k, v in value.items() if not (k == "description" and isinstance(v, str))}

out, *files = map(pathlib.Path, sys.argv[1:])
for file in files:
    crd = yaml.load(file.read_text(), yaml.CSafeLoader)
    crd["spec"]["versions"] = [version for version in crd["spec"]["versions"] if version["storage"]]
    (out / f"{crd['spec']['names']['plural']}.yaml").write_text(json.dumps(plain(crd)))
P
