# SPDX-License-Identifier: GPL-3.0-or-later
# The base of every Python image: Debian bookworm's python3 (3.11), a shell and what they need, unpacked and nothing else.
# image
out=$1 root=$1/rootfs
# Without an installation there is no database of packages: a bill of materials finds them as in distroless images.
# shellcheck disable=SC2016  # for mmdebstrap's shell
listed='mkdir "$1/listed" && for deb in "$1"/var/cache/apt/archives/*.deb; do
  dpkg-deb -f "$deb" Package Version Architecture >"$1/listed/$(dpkg-deb -f "$deb" Package)"
done'
# Unpacking without maintainer scripts takes a third of the time of an installation; what they would do follows.
mmdebstrap --quiet --variant=extract --mode=root --include=python3,ca-certificates,netbase,base-files,libc-bin,dash,coreutils,libstdc++6 \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/zoneinfo/*' --extract-hook="$listed" bookworm "$root"
rm -rf "${root:?}"/{var/cache,var/lib,dev}/* "$root"/usr/share/{man,doc,locale,zoneinfo}
mkdir "$root/var/lib/dpkg"
mv "$root/listed" "$root/var/lib/dpkg/status.d"
for dir in bin sbin lib lib64; do # Debian's packages still ship both places; one merged tree is what its tools expect
  [ -L "$root/$dir" ] || { mkdir -p "$root/usr/$dir" && cp -a "$root/$dir/." "$root/usr/$dir/" && rm -r "${root:?}/$dir" && ln -s "usr/$dir" "$root/$dir"; }
done
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/root:/bin/sh\napp:x:65532:65532:app:/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\napp:x:65532:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chroot "$root" /usr/bin/python3 -c 'import ssl, sqlite3, ctypes, http.client; print(ssl.OPENSSL_VERSION)'
chroot "$root" /sbin/ldconfig
cat >"$out/Containerfile" <<'C'
FROM scratch
COPY rootfs /
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
C
