# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw_notifications as notifications
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._rgw_notifications import Plan

FIXTURES = Path(__file__).parent / "fixtures"


def found(name="rgw_notifications.xml"):
    return notifications.read_notifications(ElementTree.fromstring((FIXTURES / name).read_text()))


def wanted(**options):
    given = {"name": "filtered", "topic": "bare", "events": ["s3:ObjectCreated:Post", "s3:ObjectCreated:Put"]}
    return notifications.wanted_notification({**dict.fromkeys(notifications.FILTERS), **given, **options})


def plan(state="present", refresh=False, **options):
    return notifications.plan(found(), wanted(**options), state, refresh)


def test_what_rgw_shows_is_read():
    assert [(entry.name, entry.topic.rpartition(":")[2], sorted(entry.filters)) for entry in found()] == [
        ("filtered", "bare", ["metadata:x-amz-meta-a", "prefix", "suffix"]),
        ("xray-images", "bare", []),
        ("xray-images", "fixture", []),
    ]
    assert found("rgw_no_notifications.xml") == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"name": "new"}, Plan(0, True)),
        ({"name": "new", "state": "absent"}, Plan(0, False)),
        ({"state": "absent"}, Plan(1, False)),
        ({"name": "xray-images", "state": "absent"}, Plan(2, False)),
        ({"name": "xray-images"}, Plan(2, True)),
        ({"prefix": "a/", "suffix": ".jpg"}, Plan(1, True)),  # it also has a filter on metadata that nobody wants
    ],
)
def test_the_plan(options, expected):
    assert plan(**options) == expected


def test_a_notification_as_wanted_is_left_alone_or_refreshed():
    document = ElementTree.fromstring(notifications.write_notification(wanted(prefix="a/", suffix=".jpg")))
    same = notifications.read_notifications(document)
    for topic in ("bare", "arn:aws:sns:default::bare", "arn:aws:sns:zone-a::bare"):
        again = wanted(prefix="a/", suffix=".jpg", topic=topic)
        assert not notifications.plan(same, again, "present", refresh=False).changes
        assert notifications.plan(same, again, "present", refresh=True) == Plan(0, True)


@pytest.mark.parametrize("options", [{"topic": "other"}, {"prefix": "b/"}, {"events": ["s3:ObjectCreated:*"]}])
def test_any_difference_is_written(options):
    same = notifications.read_notifications(ElementTree.fromstring(notifications.write_notification(wanted())))
    assert notifications.plan(same, wanted(**options), "present", refresh=False) == Plan(1, True)


def test_the_document_escapes_what_xml_needs():
    document = notifications.write_notification(wanted(prefix='a&b<"é/'))
    assert notifications.read_notifications(ElementTree.fromstring(document))[0].filters == {"prefix": 'a&b<"é/'}
    assert b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' in document
