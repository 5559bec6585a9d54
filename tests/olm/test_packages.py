# SPDX-License-Identifier: GPL-3.0-or-later
"""Where PackageManifests are served, as on OpenShift: what there is gets listed, and most is refused before a write."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _package_server(olm):
    olm.plane.serve_packages()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"package": "demo", "channel": "fast"},
            "channel fast is asked for, but catalog local has demo in the channels stable (default stable)",
        ),
        (
            {"package": "demo", "starting_csv": "demo-operator.v9.9.9"},
            "channel stable of demo has demo-operator.v1.2.0, demo-operator.v1.1.0, demo-operator.v1.0.0",
        ),
        (
            {"package": "modest", "install_mode": "AllNamespaces"},
            "it supports the install modes OwnNamespace, but the OperatorGroup of namespace early stands for",
        ),
    ],
)
def test_what_the_catalog_lacks_is_refused_before_anything_is_written(olm, options, said):
    assert said in olm.refused(olm.operator(**options, namespace="early"))
    assert olm.plane.get("v1", "Namespace", None, "early") is None


def test_an_unknown_package_is_answered_with_those_there_are(olm):
    said = olm.refused(olm.operator("nowhere", "late"))
    assert "package nowhere should be in catalog local, but OLM says: constraints not satisfiable" in said
    assert "Catalog local has the packages base, crashing, demo, lacking, lonely, modest, needing, other" in said
