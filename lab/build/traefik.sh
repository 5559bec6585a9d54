# SPDX-License-Identifier: GPL-3.0-or-later
# Traefik, the ingress: its Knative provider serves the class traefik.ingress.networking.knative.dev.
# inputs: go/traefik go/env.sh
# needs: go
# lane: go
# image
. ./env.sh
. "$PWD/go/env.sh"
out=$1
cp -r go/traefik "$out/source"
cd "$out/source"
# The module proxy does not serve all of the ~170 DNS vendors' SDKs that its ACME library registers: this build knows none.
lego=$(cd /tmp && go mod download -json github.com/go-acme/lego/v4@v4.33.0 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r "$lego" lego
chmod -R u+w lego
find lego/providers/dns -mindepth 1 -maxdepth 1 -type d ! -name internal -exec rm -r {} +
rm -f lego/providers/dns/*_test.go
mv no_dns_vendors.go.txt lego/providers/dns/zz_gen_dns_providers.go
go build -trimpath -ldflags '-s -w' -o "$out/build/" github.com/traefik/traefik/v3/cmd/traefik
cd "$out"
go_context "$out" build/traefik
rm -r source build
