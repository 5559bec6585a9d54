# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows a progress bar while the module study_upload runs on the control node."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

LOOK_SECONDS = 0.5
WIDTH = 30  # characters of the bar
STEPS = 10  # lines at most, because a job template's output cannot be written over

display = Display()


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
            arguments, progress = dict(self._task.args), os.path.join(folder, "progress")
            if self._connection.transport == "local":  # elsewhere the file could not be read
                arguments["progress_file"] = progress
            # An empty name is the task's own: the module that belongs to this plugin.
            module = pool.submit(self._execute_module, module_args=arguments, task_vars=task_vars)
            watch(module, progress, str((task_vars or {}).get("inventory_hostname", "")))
            return {**result, **module.result()}


def watch(module: Future[dict[str, Any]], progress: str, host: str) -> None:
    """A line whenever a step further is reached."""
    shown = 0
    while not wait([module], LOOK_SECONDS).done:
        done, total = read(progress)
        if total and done * STEPS // total > shown:
            shown = done * STEPS // total
            display.display(f"[{host}] {picture(done, total)}")


def read(progress: str) -> tuple[int, int]:
    """(studies done, of how many); of 0 as long as nothing is known."""
    try:
        with open(progress, encoding="ascii") as file:
            done, total = map(int, file.read().split())
    except (OSError, ValueError):
        return 0, 0
    return done, total


def picture(done: int, total: int) -> str:
    filled = WIDTH * done // total
    return f"|{'#' * filled}{'.' * (WIDTH - filled)}| {done} of {total} X-rays, {100 * done // total} %"
