# SPDX-License-Identifier: GPL-3.0-or-later
# The relay as a folder for PYTHONPATH: OUT/site with its packages and itself. Run: PYTHONPATH=OUT/site python3.11 -m relay ...
# inputs: wheels.sh relay
out=$1
. ./wheels.sh
wheels "$out/site" -r "relay/requirements.txt"
install -D -m 0644 -t "$out/site/relay" relay/*.py
