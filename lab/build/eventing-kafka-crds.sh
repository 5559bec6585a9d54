# SPDX-License-Identifier: GPL-3.0-or-later
# The vendor's CRDs of KafkaSource and KafkaSink, out of the Knative Operator's module: OUT/<plural>.<group>.yaml.
# inputs: go/env.sh
# needs: go
out=$1 module=knative.dev/operator@v0.42.2
: "${LAB_CACHE:?}" "${NEED_GO:?the folder of the product go}"
# shellcheck source=/dev/null
. ./go/env.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Outside of any module, so nobody's go.mod is touched.
folder=$(cd "$work" && GOFLAGS=-mod=mod GO111MODULE=on go mod download -json "$module" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
mkdir -p "$out"
python3 - "$folder/cmd/operator/kodata/eventing-source/1.15/kafka/eventing-kafka-controller.yaml" "$out" <<'PY'
import pathlib, re, sys

text, out = pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2])
for name in ("kafkasources.sources.knative.dev", "kafkasinks.eventing.knative.dev"):
    found = [d for d in re.split(r"(?m)^---\s*$", text) if re.search(rf"(?m)^  name: {re.escape(name)}$", d)
             and "kind: CustomResourceDefinition" in d]
    if len(found) != 1:
        sys.exit(f"eventing-kafka-crds: expected one CustomResourceDefinition {name} in {sys.argv[1]}, saw {len(found)}")
    # One version is served, so nothing is converted; the vendor's conversion webhook does not run here.
    document = re.sub(r"(?m)^  conversion:\n(?:    .*\n|  #.*\n)+", "", found[0] + "\n")
    (out / f"{name}.yaml").write_text(document.strip() + "\n")
PY
