# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Debian's packages for the lab: only what is missing is installed.

packages_up() {
  local missing=() package
  while read -r package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done < <(grep -v '^#' "$LAB_DIR/packages.txt")
  if ((${#missing[@]})); then
    apt-get -q update
    # Where an init system runs, the packages' services must not start: the lab starts its own.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
      printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
      chmod +x /usr/sbin/policy-rc.d
      trap 'rm /usr/sbin/policy-rc.d' EXIT
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
  fi
}
