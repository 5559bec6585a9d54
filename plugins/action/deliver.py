# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings a role's objects to the facility, directly or by Git: the one place that knows of both ways."""

from __future__ import annotations

from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

Object = dict[str, Any]
K8S, GIT = "kubernetes.core.k8s", "xraylab.medical_diagnosis.gitops_files"
APPLY = {"apply": True, "server_side_apply": {"field_manager": "xraylab", "force_conflicts": True}}
WAYS = ("direct", "gitops")


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        way = self._value("{{ xraylab_delivery | default('direct') }}")
        if way not in WAYS:
            raise AnsibleActionFail(f"Expected xraylab_delivery to be {' or '.join(WAYS)}, seen: {way!r}.")
        arguments = {**self._task.args, **APPLY}
        if way == "direct":
            return {**result, **self._k8s(arguments).run(task_vars=variables)}
        by_git, directly = split(self._objects(arguments, variables), self._value("{{ xraylab_namespace }}"))
        results = []
        if directly:
            results.append(self._apply({**arguments, "definition": directly}, variables))
        if by_git and not any(found.get("failed") for found in results):
            results.append(self._push(by_git, variables))
        return {**result, **joined(results)}

    def _value(self, text: str) -> Any:
        return self._templar.template(trusted(text))

    def _k8s(self, arguments: dict[str, Any]) -> Any:
        """The action plugin of kubernetes.core, which finds and renders the templates."""
        task = self._task.copy()
        task.action, task.args = K8S, arguments
        return self._shared_loader_obj.action_loader.get(
            K8S, task=task, connection=self._connection, play_context=self._play_context, loader=self._loader,
            templar=self._templar, shared_loader_obj=self._shared_loader_obj,
        )  # fmt: skip

    def _apply(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """What never goes by Git; of Secrets nothing is shown."""
        arguments.pop("template", None)
        found = self._k8s(arguments).run(task_vars=variables)
        if any(entry["kind"] == "Secret" for entry in arguments["definition"]) and not found.get("failed"):
            return {"changed": found.get("changed", False)}
        return found

    def _objects(self, arguments: dict[str, Any], variables: dict[str, Any]) -> list[Object]:
        rendered: dict[str, Any] = dict(arguments)
        self._k8s(arguments).load_template(arguments["template"], rendered, variables)
        return [entry for entry in rendered["definition"] if entry]

    def _push(self, objects: list[Object], variables: dict[str, Any]) -> dict[str, Any]:
        options = {key: value for key, value in self._value("{{ __gitops_delivery }}").items() if value}
        options |= {"files": {file_name(entry): text_of(entry) for entry in objects}}
        options["subject"] = f"{options['folder']}: {self._task.get_name(include_role_fqcn=False)}"
        return self._execute_module(module_name=GIT, module_args=options, task_vars=variables)


def trusted(text: str) -> str:
    """Our own words as a template: ansible-core takes none without a mark from 2.19 on."""
    try:
        from ansible.template import trust_as_template
    except ImportError:
        return text
    return trust_as_template(text)


def split(objects: list[Object], namespace: str) -> tuple[list[Object], list[Object]]:
    """(what goes by Git, what is applied directly)."""
    by_git = [o for o in objects if o["kind"] != "Secret" and o["metadata"].get("namespace") == namespace]
    return by_git, [o for o in objects if o not in by_git]


def file_name(obj: Object) -> str:
    """Kinds of different groups share a name here and there: both Knative and Kubernetes have a Service."""
    group = obj["apiVersion"].rpartition("/")[0].partition(".")[0]
    return "-".join(filter(None, [obj["kind"].lower(), group, obj["metadata"]["name"]])) + ".yaml"


def text_of(obj: Object) -> str:
    return yaml.safe_dump(plain(obj), sort_keys=False, allow_unicode=True, width=160)


def plain(value: Any) -> Any:
    """Without ansible-core's own types, which YAML does not know."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return str(value) if isinstance(value, str) else value


def joined(results: list[dict[str, Any]]) -> dict[str, Any]:
    """One result of both ways."""
    merged: dict[str, Any] = {}
    for found in results:
        merged |= {key: value for key, value in found.items() if key not in ("changed", "diff")}
    diffs = [found["diff"] for found in results if found.get("diff")]
    flat = [entry for diff in diffs for entry in (diff if isinstance(diff, list) else [diff])]
    return {**merged, "changed": any(found.get("changed") for found in results), **({"diff": flat} if flat else {})}
