# SPDX-License-Identifier: GPL-3.0-or-later
# A shell for the storage provisioner's helper pods.
# image
cp /bin/busybox "$1/"
cat >"$1/Containerfile" <<'C'
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY busybox /bin/mkdir
COPY busybox /bin/rm
C
