# SPDX-License-Identifier: GPL-3.0-or-later
# Rook's CRDs of the kinds that the stand-in for OpenShift Data Foundation knows, out of Rook's module: OUT/<plural>.<group>.yaml.
# inputs: go/env.sh
# needs: go
out=$1 module=github.com/rook/rook@v1.17.9
: "${LAB_CACHE:?}" "${NEED_GO:?the folder of the product go}"
# shellcheck source=/dev/null
. ./go/env.sh
# Outside of any module, so nobody's go.mod is touched.
folder=$(cd /tmp && go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
for name in {cephobjectstores,cephobjectstoreusers,cephbuckettopics,cephbucketnotifications}.ceph.rook.io \
  {objectbucketclaims,objectbuckets}.objectbucket.io; do
  # One file holds them all, each after a line of dashes.
  awk -v name="  name: $name" -v RS='(^|\n)---\n' 'index($0 "\n", "\n" name "\n")' \
    "$folder/deploy/examples/crds.yaml" >"$out/$name.yaml"
  grep -q '^kind: CustomResourceDefinition' "$out/$name.yaml" ||
    { echo "rook-crds: $folder/deploy/examples/crds.yaml has no CustomResourceDefinition $name" >&2; exit 1; }
done
