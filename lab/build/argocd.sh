# SPDX-License-Identifier: GPL-3.0-or-later
# Argo CD 2.14: its application controller, ApplicationSet controller and repo server as one binary, in an image with Debian's git,
# which the repo server calls, and Debian's Redis, its cache.
# inputs: go/argocd go/env.sh
# needs: go
# lane: go
# image
. "$PWD/go/env.sh"
out=$1 root=$1/rootfs
(cd go/argocd && go build -trimpath -ldflags '-s -w' -o "$out/argocd" .)
mmdebstrap --quiet --variant=extract --mode=root --include=git,redis-server,ca-certificates,netbase,base-files,libc-bin,dash,coreutils \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/perl*' --dpkgopt='path-exclude=*/perl-base/*' bookworm "$root"
rm -rf "${root:?}"/{var/cache,var/lib,dev}/* "$root"/usr/share/{man,doc,locale,perl,perl5} "$root"/usr/lib/x86_64-linux-gnu/perl*
for dir in bin sbin lib lib64; do
  [ -L "$root/$dir" ] || { mkdir -p "$root/usr/$dir" && cp -a "$root/$dir/." "$root/usr/$dir/" && rm -r "${root:?}/$dir" && ln -s "usr/$dir" "$root/$dir"; }
done
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/root:/bin/sh\napp:x:65532:65532:app:/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\napp:x:65532:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chroot "$root" /sbin/ldconfig
mknod -m 666 "$root/dev/null" c 1 3 # git asks for it
chroot "$root" /usr/bin/git --version
rm "$root/dev/null"
chroot "$root" /usr/bin/redis-server --version
install -D -t "$root/usr/local/bin" "$out/argocd"
for name in application-controller applicationset-controller git-ask-pass repo-server; do
  ln -s argocd "$root/usr/local/bin/argocd-$name"
done
rm "$out/argocd"
cat >"$out/Containerfile" <<'C'
FROM scratch
COPY rootfs /
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
USER 65532:65532
C
