# SPDX-License-Identifier: GPL-3.0-or-later
"""Last images: the newest ones at each hop, each with a link to its pictures in the gallery.

Grafana itself shows no picture: it would take a plugin, or buckets that anyone can read, as in the original demo.
"""

from typing import Any

from .panels import build, list_of, rows

RESULTS = """SELECT received_at AS time, image AS name, coalesce(outcome, 'waiting') AS outcome, label, risk,
  extract(epoch FROM recorded_at - coalesce(announced_at, received_at)) AS seconds, model_version AS model,
  array_to_string(reasons, ' ') AS reasons
FROM studies_shown
ORDER BY received_at DESC
LIMIT 20"""
GIVEN_UP = """SELECT last_at AS time, image AS name, reason, code, times, replayed_at AS replayed, outcome
FROM dead_letters_shown
ORDER BY last_at DESC
LIMIT 20"""


def make() -> Any:
    return build(
        "lastimagesdashboard", "Last images", "The newest X-rays at each hop.", "15m",
        list_of("Last 10 uploaded images", "As the object store announced them.",
                rows("SELECT * FROM images_uploaded WHERE name != '' ORDER by time DESC LIMIT 10"), "name"),
        list_of("Last 10 processed images", "As the model assessed them.",
                rows("SELECT * FROM images_processed WHERE name != '' ORDER by time DESC LIMIT 10"), "name"),
        list_of("Last 10 anonymized images", "That have a de-identified copy.",
                rows("SELECT * FROM images_anonymized WHERE name != '' ORDER by time DESC LIMIT 10"), "name"),
        list_of("Last 20 studies", "From their announcement to their result.", rows(RESULTS), "name", 24, 13),
        list_of("Last 20 given up", "What no retry could help, and why. playbooks/replay.yml sends them again.",
                rows(GIVEN_UP), "name", 24, 7),
    )  # fmt: skip
