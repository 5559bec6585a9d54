# SPDX-License-Identifier: GPL-3.0-or-later
"""lab/build.py: what a header says, the order of products, and what their keys depend on."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "lab" / "build.py"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """build.py over a lab folder of its own; `lab.script(name, header)` adds a product."""
    monkeypatch.setitem(os.environ, "REGISTRY", "registry:5000")
    spec = importlib.util.spec_from_file_location("lab_build", SOURCE)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "lab_build", module)
    spec.loader.exec_module(module)
    module.LAB, module.CACHE, module.HOME = tmp_path, tmp_path / "cache", tmp_path / "home"
    (tmp_path / "build").mkdir()
    (tmp_path / "home/log").mkdir(parents=True)

    def script(name: str, text: str) -> None:
        (tmp_path / "build" / f"{name}.sh").write_text(text)

    def products():
        return {p.name: p for p in map(module.read_product, sorted((tmp_path / "build").glob("*.sh")))}

    module.script, module.products = script, products
    return module


def keys(lab) -> dict[str, str]:
    return {p.name: p.key for p in lab.order(lab.products())}


def test_a_header_is_read(lab):
    lab.script("a", "# inputs: x y\n# needs: b\n# lane: go\n# images: one two\ntrue\n")
    product = lab.products()["a"]
    assert (product.inputs, product.needs, product.lane, product.images) == (["x", "y"], ["b"], "go", ["one", "two"])
    assert product.context("one", Path("/p")) == Path("/p/one")


def test_one_image_has_its_products_folder_as_context(lab):
    lab.script("a", "# image\n")
    product = lab.products()["a"]
    assert (product.images, product.context("a", Path("/p"))) == (["a"], Path("/p"))


def test_what_is_needed_comes_first(lab):
    lab.script("a", "# needs: b\n")
    lab.script("b", "# needs: c\n")
    lab.script("c", "true\n")
    assert [p.name for p in lab.order(lab.products())] == ["c", "b", "a"]


def test_a_key_follows_script_inputs_and_needs_alone(lab, tmp_path):
    lab.script("a", "# needs: b\n")
    lab.script("b", "# inputs: folder\n")
    lab.script("c", "true\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("1")
    before = keys(lab)
    (tmp_path / "folder/__pycache__").mkdir()
    (tmp_path / "folder/__pycache__/x.pyc").write_text("compiled")
    assert keys(lab) == before
    (tmp_path / "folder/file").write_text("2")
    after = keys(lab)
    assert {name for name in after if after[name] != before[name]} == {"a", "b"}


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("# needs: nowhere\n", "there is no build/nowhere.sh"),
        ("# needs: a\n", "in a circle: a -> a"),
        ("# inputs: missing\n", "the input 'missing', which does not exist"),
    ],
)
def test_a_wrong_header_is_refused(lab, header, sentence):
    lab.script("a", header)
    with pytest.raises(lab.BuildError, match=sentence):
        lab.order(lab.products())


def test_a_product_is_built_once_and_whole(lab):
    lab.script("a", 'echo "$NEED_B" >"$1/from"\n')
    lab.script("b", 'echo b >"$1/file"\n')
    lab.script("a", '# needs: b\ncp "$NEED_B/file" "$1/"\n')
    ordered = lab.order(lab.products())
    lab.build_all(ordered)
    folder = ordered[-1].folder
    assert (folder / "file").read_text() == "b\n"
    made = folder.stat().st_mtime_ns
    lab.build_all(ordered)
    assert folder.stat().st_mtime_ns == made


def test_a_product_on_demand_is_built_only_when_it_is_named(lab):
    lab.script("a", "true\n")
    lab.script("b", "# only when named\ntrue\n")
    assert lab.main([]) == 0
    assert [p.name for p in lab.order(lab.products()) if p.built] == ["a"]
    assert lab.main(["b"]) == 0
    assert [p.name for p in lab.order(lab.products()) if p.built] == ["a", "b"]


def test_a_failed_script_leaves_no_product_and_shows_its_log(lab):
    lab.script("a", 'echo the cause >&2\necho half >"$1/file"\nfalse\n')
    ordered = lab.order(lab.products())
    with pytest.raises(lab.BuildError, match="the cause"):
        lab.build_all(ordered)
    assert not ordered[0].built
