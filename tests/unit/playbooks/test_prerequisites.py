# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks/vars/prerequisites.yml asks for is what the roles make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "playbooks" / "vars" / "prerequisites.yml"
NEEDED = yaml.safe_load(FILE.read_text())
TEMPLATES = list(ROOT.glob("roles/*/templates/*.yaml.j2"))
OBJECT = re.compile(r"^apiVersion: (.+)\nkind: (\w+)", re.MULTILINE)
REQUESTS = re.compile(r"requests: \{cpu: (.+?), memory: (.+?)\}")


def made():
    """(group, resource) of every object that a template makes."""
    for file in TEMPLATES:
        for version, kind in OBJECT.findall(file.read_text()):
            group = "kafka.strimzi.io" if "__image_events_api" in version else version.rpartition("/")[0]
            yield group, plural(kind.lower())


def plural(kind):
    return kind[:-1] + "ies" if kind.endswith("ry") else kind + ("es" if kind.endswith("ss") else "s")


@pytest.mark.parametrize("resource", sorted(set(made()) - {("", "namespaces")}))
def test_the_rights_to_make_it_are_asked_for(resource):
    asked = [entry for entry in NEEDED["needed_rights"] if (entry.get("group", ""), entry["resource"]) == resource]
    assert asked
    assert any("verbs" not in entry for entry in asked), "some verbs are left out"


def test_there_are_templates():
    assert len(set(made())) > 15


def requests():
    for file in TEMPLATES:
        yield from REQUESTS.findall(file.read_text())


@pytest.mark.parametrize("pair", sorted(set(requests())))
def test_what_a_container_requests_is_counted(pair):
    assert pair in REQUESTS.findall(FILE.read_text())


def test_the_variables_that_say_how_much_exist():
    defaults = "".join(file.read_text() for file in ROOT.glob("roles/*/defaults/main.yml"))
    for entry in [*NEEDED["needed_pods"], *NEEDED["needed_volumes"]]:
        for name in entry.get("set_by", "").split(", "):
            assert f"{name}:" in defaults
