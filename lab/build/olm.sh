# SPDX-License-Identifier: GPL-3.0-or-later
# The Operator Lifecycle Manager, its package server and opm, which serves a catalog: one image of all four, and OLM's CRDs.
# inputs: go/olm go/env.sh
# needs: go
# lane: go
# images: operator-lifecycle-manager
. "$PWD/go/env.sh"
out=$1
cd go/olm
olm=github.com/operator-framework/operator-lifecycle-manager
go build -trimpath -ldflags '-s -w' -o "$out/bin/" $olm/cmd/{catalog,olm,package-server}
go build -trimpath -ldflags '-s -w' -tags json1,containers_image_openpgp,exclude_graphdriver_btrfs -o "$out/bin/" ./opm
cp -r "$(go list -m -f '{{.Dir}}' $olm)/deploy/chart/crds" "$out/crds"
chmod -R u+w "$out/crds"
mkdir "$out/operator-lifecycle-manager"
cp -lr "$out/bin" "$out/operator-lifecycle-manager/bin"
cat >"$out/operator-lifecycle-manager/Containerfile" <<'C'
FROM scratch
COPY bin /bin
USER 65532:65532
C
