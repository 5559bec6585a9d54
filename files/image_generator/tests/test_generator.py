# SPDX-License-Identifier: GPL-3.0-or-later
"""Which X-rays the generator sends, how often, and under which names."""

import io
import re
import threading
import time
from collections import Counter
from random import Random

import pytest
from image_generator.names import name
from image_generator.rounds import Rounds, choose, moments
from image_generator.settings import SettingsError, read_settings
from image_generator.variation import vary
from PIL import Image

NAME = re.compile(r"demo_[A-Z][a-z]+ [A-Z][a-z]+_\d{1,4}_(19|20)\d\d-\d\d-\d\d_20\d\d-\d\d-\d\d\.jpeg")


class MemoryStore:
    """The object store's stand-in; `slow` seconds for each upload."""

    def __init__(self, slow: float = 0, broken: bool = False) -> None:
        self.slow, self.broken, self.stored = slow, broken, {}

    def samples(self, prefix: str) -> list[str]:
        return [f"{prefix}{number}.jpeg" for number in range(3)]

    def picture(self, key: str) -> Image.Image:
        return Image.linear_gradient("L")

    def put(self, key: str, data: bytes) -> None:
        time.sleep(self.slow)
        if self.broken:
            raise OSError("no store")
        self.stored[key] = data


def run(store: MemoryStore, wait: float, seconds: float) -> Rounds:
    stop, rounds = threading.Event(), Rounds(store, wait, 0.2, 8, Random(1))
    threading.Timer(seconds, stop.set).start()
    rounds.run(time.monotonic, stop)
    return rounds


def test_names_have_the_original_grammar():
    chance = Random(1)
    names = [name(chance) for _ in range(500)]
    assert all(NAME.fullmatch(each) for each in names)
    assert len(set(names)) == 500


def test_a_fifth_is_pneumonia():
    chance, samples = Random(1), {"NORMAL/": ["NORMAL/a"], "PNEUMONIA/": ["PNEUMONIA/b"]}
    drawn = Counter(choose(samples, 0.2, chance) for _ in range(5000))
    assert 0.18 < drawn["PNEUMONIA/b"] / 5000 < 0.22


@pytest.mark.parametrize("empty", ["NORMAL/", "PNEUMONIA/"])
def test_one_kind_alone_is_enough(empty):
    samples = {"NORMAL/": ["n"], "PNEUMONIA/": ["p"]} | {empty: []}
    assert {choose(samples, 0.5, Random(seed)) for seed in range(50)} == {"p" if empty == "NORMAL/" else "n"}


def test_pictures_of_one_sample_differ_a_little():
    sample = Image.linear_gradient("L").resize((400, 380))
    pictures = [vary(sample, Random(seed)) for seed in range(20)]
    assert len(set(pictures)) == 20
    for data in pictures:
        picture = Image.open(io.BytesIO(data))
        assert picture.format == "JPEG"
        assert 0.9 < picture.width / 400 <= 1
        assert 0.9 < picture.height / 380 <= 1
    assert sample.size == (400, 380)


def test_the_rate_is_kept_below_a_second_and_however_slow_the_store_is():
    assert 15 <= run(MemoryStore(slow=0.1), wait=0.05, seconds=1).sent <= 21


def test_what_was_missed_is_left_out():
    clock = iter([0.0, 10.0, 10.0, 10.0])
    pauses = moments(0.0, 1.0, lambda: next(clock))
    assert [next(pauses), next(pauses)] == [0.0, 0.0]


def test_a_store_that_fails_does_not_end_it():
    rounds = run(MemoryStore(broken=True), wait=0.05, seconds=0.4)
    assert rounds.failed >= 5
    assert rounds.sent == 0


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "IMAGE_GENERATOR_S3_ENDPOINT"),
        ({"SECONDS_WAIT": "0"}, "SECONDS_WAIT: expected a number from 0.001"),
        ({"SECONDS_WAIT": "soon"}, "SECONDS_WAIT"),
        ({"SECONDS_WAIT": "nan"}, "SECONDS_WAIT"),
        ({"IMAGE_GENERATOR_PNEUMONIA_SHARE": "20"}, "from 0 to 1"),
    ],
)
def test_a_wrong_setting_is_named(environment, words):
    given = {"IMAGE_GENERATOR_S3_ENDPOINT": "https://store"} | environment if environment else {}
    with pytest.raises(SettingsError, match=words):
        read_settings(given)


def test_the_original_variable_sets_the_rate():
    assert read_settings({"IMAGE_GENERATOR_S3_ENDPOINT": "https://store", "SECONDS_WAIT": "0.25"}).seconds_wait == 0.25
