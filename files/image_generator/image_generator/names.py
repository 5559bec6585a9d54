# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up names in the original demo's grammar: demo_<first> <last>_<number>_<born>_<taken>.jpeg."""

from datetime import date, timedelta
from random import Random

FIRST = [
    "Ada",
    "Alan",
    "Barbara",
    "Carlos",
    "Chen",
    "Dina",
    "Edda",
    "Farid",
    "Grace",
    "Hana",
    "Ivo",
    "Jorge",
    "Katja",
    "Leo",
    "Mina",
    "Noor",
    "Olga",
    "Pavel",
    "Rosa",
    "Sven",
]
LAST = [
    "Adler",
    "Brandt",
    "Campbell",
    "Diaz",
    "Ekdahl",
    "Fontaine",
    "Gruber",
    "Hansen",
    "Ito",
    "Jovic",
    "Keller",
    "Lund",
    "Moreau",
    "Novak",
    "Okafor",
    "Petit",
]
FIRST_BIRTH, LAST_BIRTH = date(1935, 1, 1), date(2004, 12, 31)
FIRST_STUDY, LAST_STUDY = date(2012, 1, 1), date(2019, 12, 31)


def name(chance: Random) -> str:
    born, taken = day(chance, FIRST_BIRTH, LAST_BIRTH), day(chance, FIRST_STUDY, LAST_STUDY)
    return f"demo_{chance.choice(FIRST)} {chance.choice(LAST)}_{chance.randrange(1, 10000)}_{born}_{taken}.jpeg"


def day(chance: Random, first: date, last: date) -> date:
    return first + timedelta(days=chance.randrange((last - first).days + 1))
