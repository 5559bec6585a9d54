# SPDX-License-Identifier: GPL-3.0-or-later
# The virtual environment that deploys and tests: made beside the builds, so that a cold start waits for it less.
# inputs: venv ../requirements.txt ../tests/requirements.txt ../files/model_service/requirements.txt ../files/model_service/requirements-weights.txt ../files/gallery/requirements.txt
./venv >"$1/bin"
