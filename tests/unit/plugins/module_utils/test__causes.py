# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._causes import root_cause


def wrapped(inner):
    try:
        raise RuntimeError("outer") from inner
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("first\nsecond"), "first"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (wrapped(OSError(113, "No route to host")), "No route to host"),
        (
            RuntimeError(ValueError("<urllib3.Connection object at 0x7f>: Failed to resolve 'h'")),
            "Failed to resolve 'h'",
        ),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_the_innermost_reason_is_told(error, text):
    assert root_cause(error) == text
