# SPDX-License-Identifier: GPL-3.0-or-later
# PostgreSQL 15 with its clients, as the role `results` asks of an image: the programs on PATH, a shell, no entry point of its own.
# image
out=$1 root=$1/rootfs
mmdebstrap --quiet --variant=extract --mode=root --include=postgresql-15,netbase,base-files,libc-bin,dash,coreutils \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/perl*' --dpkgopt='path-exclude=*/libLLVM*' --dpkgopt='path-exclude=*/llvmjit*' \
  --dpkgopt='path-exclude=*/bitcode/*' bookworm "$root"
# Compiling queries takes LLVM, which is two thirds of all this; PostgreSQL does without where the library is not there.
rm -rf "${root:?}"/{var/cache,var/lib,dev}/* "$root"/usr/share/{man,doc,locale,perl,perl5} "$root"/usr/lib/x86_64-linux-gnu/{libLLVM*,perl*} \
  "$root"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*}
for dir in bin sbin lib lib64; do
  [ -L "$root/$dir" ] || { mkdir -p "$root/usr/$dir" && cp -a "$root/$dir/." "$root/usr/$dir/" && rm -r "${root:?}/$dir" && ln -s "usr/$dir" "$root/$dir"; }
done
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:26:26:postgres:/var/lib/pgsql:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:26:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chroot "$root" /sbin/ldconfig
chroot "$root" /usr/lib/postgresql/15/bin/postgres --version
chroot "$root" /usr/lib/postgresql/15/bin/pg_dump --version
cat >"$out/Containerfile" <<'C'
FROM scratch
COPY rootfs /
ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 26:26
C
