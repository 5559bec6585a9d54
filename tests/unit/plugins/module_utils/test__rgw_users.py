# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw_users as users

FIXTURES = Path(__file__).parent / "fixtures"
USER = json.loads((FIXTURES / "rgw_user.json").read_text())
KEY = USER["keys"][0]


def wanted(**options):
    nothing = dict.fromkeys(("display_name", "email", "suspended", "max_buckets", "caps", "keys"))
    return {
        "uid": "fixture", "state": "present", "generate_key": True, "purge_keys": False, "purge_data": False,
        **nothing, **options,
    }  # fmt: skip


def calls(user, **options):
    return [(call.method, call.sub, call.params) for call in users.plan(user, wanted(**options))]


def test_a_user_that_is_as_wanted_needs_no_call():
    same = {
        "display_name": "Fixture",
        "max_buckets": 5,
        "caps": {"users": "read", "buckets": "read, write"},
        "keys": [KEY],
    }
    assert calls(USER, **same) == []
    assert calls(USER) == []
    assert calls(None, state="absent") == []


def test_a_new_user_is_made_with_what_was_given_and_gets_a_key():
    assert calls(None, max_buckets=-1, caps={"users": "*"}) == [
        ("PUT", "", {"uid": "fixture", "display-name": "fixture", "max-buckets": "-1", "generate-key": "False"}),
        ("PUT", "caps", {"uid": "fixture", "user-caps": "users=*"}),
        ("PUT", "key", {"uid": "fixture", "generate-key": "True"}),
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"display_name": "Other"}, [("POST", "", {"uid": "fixture", "display-name": "Other"})]),
        ({"suspended": True}, [("POST", "", {"uid": "fixture", "suspended": "True"})]),
        ({"max_buckets": 0}, [("POST", "", {"uid": "fixture", "max-buckets": "0"})]),
        ({"caps": {}}, [("DELETE", "caps", {"uid": "fixture", "user-caps": "buckets=*;users=read"})]),
        (
            {"caps": {"buckets": "read", "users": "*"}},
            [
                ("PUT", "caps", {"uid": "fixture", "user-caps": "users=write"}),
                ("DELETE", "caps", {"uid": "fixture", "user-caps": "buckets=write"}),
            ],
        ),
        ({"state": "absent"}, [("DELETE", "", {"uid": "fixture"})]),
        ({"state": "absent", "purge_data": True}, [("DELETE", "", {"uid": "fixture", "purge-data": "True"})]),
    ],
)
def test_only_what_differs_is_written(options, expected):
    assert calls(USER, **options) == expected


def test_a_rotated_key_is_set_and_old_ones_go_only_when_asked():
    new = {"access_key": "NEW", "secret_key": "new-secret"}
    put = ("PUT", "key", {"uid": "fixture", "access-key": "NEW", "secret-key": "new-secret", "generate-key": "False"})
    assert calls(USER, keys=[new]) == [put]
    assert calls(USER, keys=[new], purge_keys=True) == [
        put,
        ("DELETE", "key", {"uid": "fixture", "access-key": KEY["access_key"]}),
    ]


def test_no_secret_shows_in_diff_user_or_call():
    after = users.expect(USER, wanted(keys=[{**KEY, "secret_key": "new-secret"}]))
    shown = json.dumps([users.diff(USER, after), users.show(after)]) + repr(
        users.plan(USER, wanted(keys=after["keys"]))
    )
    assert "new-secret" not in shown
    assert KEY["secret_key"] not in shown
    assert users.diff(USER, after)["after"]["replaced_secret_keys_of"] == [KEY["access_key"]]


def test_what_is_expected_is_what_the_plan_leads_to():
    after = users.expect(
        USER, wanted(display_name="Other", caps={"usage": "read, write"}, max_buckets=0, suspended=True)
    )
    assert users.plan(after, wanted(display_name="Other", caps={"usage": "*"}, max_buckets=0, suspended=True)) == []
    assert users.show(after)["caps"] == {"usage": "*"}


def test_check_mode_shows_a_stand_in_for_a_generated_key():
    assert users.keys_of(users.expect(None, wanted())) == [
        {"access_key": users.MADE_BY_RGW, "secret_key": users.MADE_BY_RGW}
    ]


def test_given_keys_come_first():
    user = {**USER, "keys": [KEY, {"user": "fixture", "access_key": "NEW", "secret_key": "s"}]}
    given = [{"access_key": "NEW", "secret_key": "s"}]
    assert [key["access_key"] for key in users.keys_of(user, given)] == ["NEW", KEY["access_key"]]


def test_a_tenant_is_part_of_the_uid():
    assert users.show({**USER, "tenant": "radiology"})["uid"] == "radiology$fixture"


def test_what_a_user_of_many_does_not_say_holds_for_all():
    many = wanted(users=[{"uid": "a", "max_buckets": 3, "caps": None}, {"uid": "b"}], max_buckets=-1, caps={})
    assert [(one["uid"], one["max_buckets"], one["caps"]) for one in users.each(many)] == [("a", 3, {}), ("b", -1, {})]
    assert [one["uid"] for one in users.each(wanted(uid="one", users=None))] == ["one"]


def test_many_users_are_one_result():
    found = [
        {"changed": changed, "user": {}, "s3_keys": [], "diff": {"before": {}, "after": {"email": name}}}
        for name, changed in (("a", False), ("b", True))
    ]
    told = users.together(["a", "b"], found)
    assert told["changed"]
    assert [(one["uid"], one["changed"]) for one in told["users"]] == [("a", False), ("b", True)]
    assert told["diff"] == {"before": {"a": {}, "b": {}}, "after": {"a": {"email": "a"}, "b": {"email": "b"}}}
