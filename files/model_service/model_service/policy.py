# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's choices for de-identification, read from YAML (policy.yaml says what they mean). Knows no DICOM."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACTIONS = ("remove", "empty", "dummy", "uid", "inside", "pseudonym", "keep")
OPTIONS = ("clean_pixel_data", "retain_dates_shifted", "retain_device_identity", "retain_uids")


class PolicyError(Exception):
    """The text says what is wrong with the file."""


@dataclass(frozen=True)
class Policy:
    """`actions` by keyword, with the options already worked in; `dummies` by VR."""

    actions: dict[str, str]
    options: dict[str, bool]
    dummies: dict[str, str]
    removed_vrs: frozenset[str]
    patient_in_key: re.Pattern[str]

    def patient_of_key(self, key: str) -> str | None:
        found = self.patient_in_key.search(key.rpartition("/")[2])
        return found["patient"] if found else None


def read_policy(path: Path) -> Policy:
    """Raises PolicyError."""
    import yaml

    try:
        loaded = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe ones
        return make_policy(loaded)
    except OSError as error:
        raise PolicyError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, re.error, IndexError) as error:
        raise PolicyError(f"{path}: {type(error).__name__}: {str(error)[:200]}") from None


def make_policy(loaded: dict[str, Any]) -> Policy:
    options = {name: loaded["options"][name] for name in OPTIONS}
    unknown = set(loaded["options"]) - set(OPTIONS) | set(loaded["actions"]) - set(ACTIONS)
    if unknown or not all(isinstance(value, bool) for value in options.values()):
        raise ValueError(f"options are {', '.join(OPTIONS)}, true or false; actions are {', '.join(ACTIONS)}")
    actions = {keyword: action for action, keywords in loaded["actions"].items() for keyword in keywords}
    if options["retain_device_identity"]:
        actions |= dict.fromkeys(loaded["device_identity"], "keep")
    if options["retain_uids"]:
        actions |= {keyword: "keep" for keyword, action in actions.items() if action == "uid"}
    pattern = re.compile(loaded["patient_in_key"])
    if "patient" not in pattern.groupindex:
        raise ValueError("patient_in_key has no group (?P<patient>...)")
    return Policy(
        actions=actions,
        options=options,
        dummies={vr: str(value) for vr, value in loaded["dummies"].items()},
        removed_vrs=frozenset(loaded["unlisted"]["remove"]),
        patient_in_key=pattern,
    )
