"""The model of dates that comes with the project, and the pairs that it was trained on."""

import datetime
import hashlib
from pathlib import Path

import pytest

from charrnn_cli.checkpoints.checkpoint import load

ROOT = Path(__file__).parent.parent.parent
DATES = ROOT / "data" / "dates.tsv"
SHIPPED = ROOT / "checkpoints" / "dates" / "best.safetensors"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("3. Mai 1987", "1987-05-03"),
        ("am Sonntag, 24. Dezember 2017", "2017-12-24"),
        ("July 20th, 1969", "1969-07-20"),
        ("the 1st of March 2044", "2044-03-01"),
        ("1er avril 2001", "2001-04-01"),
        ("le mardi 8 août 1933", "1933-08-08"),
        ("12 de octubre de 1992", "1992-10-12"),
        ("Terça-feira, 13 de dezembro de 2050", "2050-12-13"),
        ("il 2 giugno 1946", "1946-06-02"),
        ("30 april 1980", "1980-04-30"),
        ("11 listopada 2018 r.", "2018-11-11"),
        ("den 6:e juni 2023", "2023-06-06"),
        ("31.12.1999", "1999-12-31"),
    ],
)
def test_the_shipped_model_reads_dates_of_several_languages(invoke, text, iso):
    assert invoke("translate", SHIPPED, text).stdout == f"{iso}\n"


def test_the_shipped_model_was_trained_on_the_shipped_pairs():
    assert load(SHIPPED).corpus.sha256 == hashlib.sha256(DATES.read_bytes()).hexdigest()
    assert SHIPPED.stat().st_size <= 1_000_000


def test_each_line_of_the_pairs_is_a_text_and_a_date_and_no_text_is_there_twice():
    pairs = [line.split("\t") for line in DATES.read_text("utf-8").splitlines()]
    texts, dates = zip(*pairs, strict=True)
    assert len(set(texts)) == len(texts) == 12_000
    assert all(datetime.date.fromisoformat(text).isoformat() == text for text in dates)
