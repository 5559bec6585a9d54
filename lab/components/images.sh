# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Fills the registry with the images that were built and are not in it.

images_up() {
  wait_for 30 "the registry answers" curl -fsS "http://$REGISTRY/v2/"
  xargs -P 2 -L 1 bash -euo pipefail -c '. "$0/components/images.sh"; images_push "$@"' \
    "$LAB_DIR" <"$LAB_HOME/images.list"
}

# images_push LAYOUT REFERENCE
images_push() {
  local path=${2#*/}
  ! curl -fsI -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
    "http://${2%%/*}/v2/${path%:*}/manifests/${path##*:}" 2>/dev/null || return 0
  skopeo copy -q --dest-tls-verify=false "oci:$1:latest" "docker://$2"
  echo "pushed $2"
}
