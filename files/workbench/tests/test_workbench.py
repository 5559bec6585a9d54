# SPDX-License-Identifier: GPL-3.0-or-later
"""How the workbench starts, what it takes out of a bucket, and that the notebook holds no leftovers of a run."""

import ast
import json
from pathlib import Path

import pytest
from workbench import bucket
from workbench.__main__ import NOTEBOOK, arguments

CELLS = json.loads(NOTEBOOK.read_text())["cells"]


def test_jupyter_listens_where_the_notebook_controller_looks() -> None:
    found = arguments(
        {"NB_PREFIX": "/notebook/lab/bench", "NOTEBOOK_ARGS": "--ServerApp.token='' --x=1"}, Path("/home")
    )
    assert "--ServerApp.base_url=/notebook/lab/bench" in found
    assert "--ServerApp.port=8888" in found
    assert found[-2:] == ["--ServerApp.token=", "--x=1"]


@pytest.mark.parametrize("key", ["../a.jpeg", "/etc/passwd", "a/../../b.jpeg"])
def test_no_object_leads_out_of_the_folder(key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected the name of an object"):
        bucket.inside(tmp_path, key)


def test_objects_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Store:
        def get_object(self, **where: str) -> dict:
            asked.append(where)
            return {"Body": (NOTEBOOK).open("rb")}

    monkeypatch.setenv("AWS_S3_BUCKET", "copies")
    monkeypatch.setattr(bucket, "client", Store)
    (labels := tmp_path / "labels.csv").write_text("file,label\nward/a.jpeg,NORMAL\nb.dcm,PNEUMONIA\n")
    for _turn in range(2):
        bucket.fetch(labels, tmp_path / "images")
    assert sorted(where["Key"] for where in asked) == ["b.dcm", "ward/a.jpeg"]
    assert {where["Bucket"] for where in asked} == {"copies"}
    assert (tmp_path / "images" / "ward" / "a.jpeg").read_bytes() == NOTEBOOK.read_bytes()


def test_the_notebook_is_python_and_holds_no_output() -> None:
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert len(code) > 4
    for cell in code:
        ast.parse("".join(cell["source"]))
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
