# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by the Go builds: one module cache and one build cache for all, static binaries.
export GOMODCACHE=$LAB_CACHE/go/mod GOCACHE=$LAB_CACHE/go/build GOTOOLCHAIN=local CGO_ENABLED=0
PATH=$NEED_GO/bin:$PATH

# go_image NAME BINARY...: what an image of one static binary is made of (go_context CONTEXT BINARY).
go_context() {
  cp -l "$2" "$1/app" 2>/dev/null || cp "$2" "$1/app"
  cat /usr/share/ca-certificates/mozilla/*.crt >"$1/ca-certificates.crt"
  cat >"$1/Containerfile" <<'C'
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY app /app
USER 65532:65532
ENTRYPOINT ["/app"]
C
}
