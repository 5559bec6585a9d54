# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainer of model_service/model.onnx: data -> features -> fit -> graph. `python -m training --help`."""
