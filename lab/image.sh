# SPDX-License-Identifier: GPL-3.0-or-later
# image.sh FOLDER REFERENCE: makes FOLDER/image (an OCI layout) of the build context FOLDER and keeps nothing else of it.
. "${BASH_SOURCE[0]%/*}/env.sh"
out=$1 reference=$2
b() { buildah --root "$LAB_CACHE/buildah" --runroot "$LAB_CACHE/buildah-run" "$@"; }
# No RUN in any Containerfile: nothing is executed, so nothing needs the network.
# The FROM of an image on our Python base is an OCI layout, which buildah takes by its transport name.
b bud -q --isolation chroot --build-arg BASE_IMAGE="${BASE_IMAGE-}" -t "$reference" "$out"

b push -q "$reference" "oci:$out.image:latest"
b rmi -f "$reference" >/dev/null
rm -rf "$out"
mkdir "$out"
mv "$out.image" "$out/image"
