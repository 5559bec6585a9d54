# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _versions as versions


@pytest.mark.parametrize(
    ("version", "span", "fits", "too_new"),
    [
        ("v1.37.0", ">=1.27,<1.38", True, False),
        ("v1.38.0", ">=1.27,<1.38", False, True),
        ("v1.26.9+a1b2c3", ">=1.27,<1.38", False, False),
        ("1.27.0-eks-1", ">=1.27,<1.38", True, False),
        ("2.22", ">=2.16,<2.22", False, True),
        ("2.9.1", ">=2.16", False, False),
        ("42.0.0", ">=42", True, False),
        ("3", "==3.0", True, False),
        ("1.0", "", True, False),
    ],
)
def test_a_version_in_a_range(version, span, fits, too_new):
    assert versions.within(version, span) is fits
    assert versions.above(version, span) is too_new


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("boto3>=1.34,<2", ("boto3", ">=1.34,<2")),
        ("kubernetes.core >=3.2.0,<7.0.0", ("kubernetes.core", ">=3.2.0,<7.0.0")),
        ("pip", ("pip", "")),
    ],
)
def test_name_and_range_of_a_requirement(line, parts):
    assert versions.split(line) == parts
