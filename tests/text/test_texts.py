"""Several files and folders read as one text."""

import hashlib

import pytest

from charrnn_cli.errors import TextError, UsageError
from charrnn_cli.text.sources import Sources, check_sources
from charrnn_cli.text.texts import read_texts


@pytest.fixture
def poems(tmp_path):
    """A folder of two texts, one in a folder of its own, a picture and a hidden file."""
    folder = tmp_path / "poems"
    (folder / "old").mkdir(parents=True)
    (folder / "b.txt").write_text("bees\n")
    (folder / "old" / "c.md").write_text("cows")
    (folder / "a.png").write_bytes(b"\x89PNG....")
    (folder / ".hidden").write_text("not read")
    (folder / "empty.txt").write_text("")
    return folder


def read(*paths, **how):
    corpus = read_texts(Sources(tuple(map(str, paths)), **how))
    return corpus, corpus.vocabulary.decode(corpus.ids)


def test_a_folder_is_read_in_the_order_of_its_paths(poems):
    corpus, text = read(poems)
    assert text == "bees\ncows"
    assert corpus.document_starts == (0, 5)
    assert corpus.name == "poems"


def test_what_is_no_text_or_empty_is_left_out_and_named(poems):
    corpus, _ = read(poems)
    assert [note for note in corpus.notes if "a.png" in note] == [
        f"left out, since empty or not text: {poems / 'a.png'}, {poems / 'empty.txt'}"
    ]


def test_a_file_that_is_named_itself_must_be_a_text(poems):
    with pytest.raises(TextError, match="is a picture, not UTF-8 text"):
        read(poems, poems / "a.png")


def test_a_glob_chooses_the_files_of_a_folder(poems):
    assert read(poems, glob="*.md")[1] == "cows"
    assert read(poems, glob="old/*")[1] == "cows"


def test_a_file_is_read_once_even_if_it_is_named_twice(poems):
    assert read(poems / "b.txt", poems)[1] == "bees\ncows"


def test_the_checksum_is_that_of_the_files_in_order(poems):
    corpus, _ = read(poems)
    each = [hashlib.sha256(text).hexdigest() for text in (b"bees\n", b"cows")]
    assert corpus.reading.file_sha256s == tuple(each)
    assert corpus.sha256 == hashlib.sha256("\n".join(each).encode()).hexdigest()


def test_a_folder_of_one_text_has_the_checksum_of_that_text(poems):
    corpus, _ = read(poems, glob="*.md")
    assert corpus.sha256 == hashlib.sha256(b"cows").hexdigest()


def test_lines_of_all_files_end_in_a_newline(poems):
    _, text = read(poems, lines=True)
    assert text == "\nbees\ncows\n"


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(TextError, match="no text file in this folder"):
        read(tmp_path)


def test_stdin_cannot_be_read_twice():
    with pytest.raises(TextError, match="can be read only once"):
        check_sources(Sources(("-", "-")))


def test_a_missing_file_among_several_is_named(poems):
    with pytest.raises(TextError, match=r"nowhere\.txt: no such file"):
        check_sources(Sources((str(poems), "nowhere.txt")))


def test_a_glob_that_fits_no_file_is_named(poems):
    with pytest.raises(TextError, match=r"no text file with a name like \*\.zip in this folder"):
        read_texts(Sources((str(poems),), "*.zip"))


def test_a_glob_without_a_folder_is_refused(poems):
    with pytest.raises(UsageError, match="--glob: chooses among the files of folders"):
        check_sources(Sources((str(poems / "b.txt"),), "*.txt"))


def test_the_folders_of_runs_in_a_folder_are_passed_over(poems):
    run = poems / "checkpoints" / "a"
    run.mkdir(parents=True)
    (run / "best.safetensors").write_bytes(b"weights")
    (run / "metrics.jsonl").write_text("{}")
    corpus, text = read(poems)
    assert text == "bees\ncows"
    assert not any("best.safetensors" in note for note in corpus.notes)
