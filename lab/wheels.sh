# SPDX-License-Identifier: GPL-3.0-or-later
# Python packages for the lab's Python (bookworm's 3.11), whatever Python runs this. Sourced by the builds that need them.

# wheels TARGET PIP-ARGUMENTS...
wheels() {
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$1" --python-version 3.11 \
    --implementation cp --abi cp311 --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 --only-binary=:all: "${@:2}"
}
