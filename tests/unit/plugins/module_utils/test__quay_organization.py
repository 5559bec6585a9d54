# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes an organization of Quay as it is wanted."""

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _quay_organization as organizations

OPTIONS = {
    "repositories": [
        {"name": "gallery", "visibility": "private", "description": None},
        {"name": "function", "visibility": "public", "description": "Scores"},
    ],
    "robots": [
        {"name": "loader", "role": "write", "repositories": None, "description": "Loads"},
        {"name": "facilities", "role": "read", "repositories": ["gallery"], "description": None},
    ],
}
WANTED = organizations.wanted_state(OPTIONS)


def deeds(before, *wanted):
    return [call.deed for call in organizations.plan("x", before, *(wanted or (WANTED,)))]


def test_what_is_not_there_is_made_each_after_what_it_needs():
    assert deeds(None) == [
        "make the organization x",
        "make the repository x/gallery",
        "make the repository x/function",
        "make the robot x+loader",
        "give x+loader the role write in function",
        "give x+loader the role write in gallery",
        "make the robot x+facilities",
        "give x+facilities the role read in gallery",
    ]


def test_what_is_as_wanted_is_left_alone():
    assert deeds(WANTED) == []


def test_a_plan_leads_to_what_is_expected():
    after = organizations.expect(None, WANTED)
    assert after == WANTED
    assert deeds(after) == []


def test_what_nobody_asked_about_stays():
    before = {
        "repositories": {**WANTED["repositories"], "other": {"visibility": "public", "description": ""}},
        "robots": {**WANTED["robots"], "other": {"description": "", "repositories": {"gallery": "admin"}}},
    }
    assert deeds(before) == []
    assert organizations.expect(before, WANTED) == before


@pytest.mark.parametrize(
    ("field", "value", "deed"),
    [
        ("visibility", "public", "make the repository x/gallery private"),
        ("description", "Old", "describe the repository x/gallery"),
    ],
)
def test_a_repository_that_is_otherwise_is_changed(field, value, deed):
    repositories = {**WANTED["repositories"], "gallery": {**WANTED["repositories"]["gallery"], field: value}}
    assert deeds({**WANTED, "repositories": repositories}) == [deed]


def test_a_robot_has_exactly_its_rights():
    robots = {
        **WANTED["robots"],
        "facilities": {"description": "", "repositories": {"gallery": "write", "function": "read"}},
    }
    assert deeds({**WANTED, "robots": robots}) == [
        "give x+facilities the role read in gallery",
        "take x+facilities its rights in function",
    ]


def test_a_robots_description_is_never_changed():
    robots = {**WANTED["robots"], "loader": {**WANTED["robots"]["loader"], "description": "Old"}}
    before = {**WANTED, "robots": robots}
    assert deeds(before) == []
    assert organizations.expect(before, WANTED)["robots"]["loader"]["description"] == "Old"


def test_an_unknown_repository_of_a_robot_is_named():
    robot = {"name": "r", "role": "read", "repositories": ["nowhere"], "description": None}
    with pytest.raises(organizations.Unknown, match=r"Robot r is to have rights in nowhere.*only gallery, function"):
        organizations.wanted_state({**OPTIONS, "robots": [robot]})


def test_absent_removes_an_organization_once():
    assert deeds(WANTED, None) == ["remove the organization x"]
    assert deeds(None, None) == []
    assert organizations.expect(WANTED, None) is None


def test_names_are_safe_in_addresses():
    calls = organizations.plan("x", None, WANTED)
    assert calls[-1].path == "/api/v1/repository/x/gallery/permissions/user/x+facilities"
    assert organizations.path_of("organization", "a/b") == "/api/v1/organization/a%2Fb"


def test_quays_answers_are_read():
    listed = [{"name": "gallery", "is_public": False, "description": None}]
    assert organizations.read_repositories(listed) == {"gallery": {"visibility": "private", "description": ""}}
    rights = [{"repository": {"name": "gallery"}, "role": "read"}]
    assert organizations.read_robot({"token": "T"}, rights) == {"description": "", "repositories": {"gallery": "read"}}
