"""What comes with the program: where it is found, and that a built package has it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from factories import one_line_error

from charrnn_cli.checkpoints import shipped
from charrnn_cli.errors import ExitCode

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package as it is installed, far from the repository: its data lies inside it."""
    package = tmp_path / "site-packages" / "charrnn_cli"
    for folder in ("data", "checkpoints/sonnets"):
        (package / "shipped" / folder).mkdir(parents=True)
    shutil.copy(ROOT / "data/sonnets.txt", package / "shipped/data")
    model = "checkpoints/sonnets/best.safetensors"
    shutil.copy(ROOT / model, package / "shipped" / model)
    monkeypatch.setattr(shipped, "PACKAGE", package)
    return package / "shipped"


def test_a_shipped_model_writes_far_from_the_repository(invoke, installed):
    result = invoke("sample", "sonnets", "--length", "20", "--random-seed", "1")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.strip("\n")) >= 19


def test_a_run_of_the_same_name_goes_before_the_shipped_model(invoke, abc_runs, installed):
    (abc_runs / "abc").rename(abc_runs / "sonnets")
    text = invoke("sample", "sonnets", "--checkpoints", abc_runs, "--length", "50").stdout
    assert set(text) <= set("abcé\n")


def test_where_nothing_was_trained_the_shipped_model_is_named(invoke, installed):
    line = one_line_error(invoke("sample"), ExitCode.CHECKPOINT)
    assert "charrnn train TEXT" in line
    assert line.endswith("the model that comes with charrnn: sonnets")


def test_an_example_is_a_text_to_train_on(invoke, installed, tmp_path):
    words = ["--hidden-size", "8", "--epochs", "0.01", "--threads", "1"]
    result = invoke("train", "--example", "sonnets", *words)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "checkpoints/sonnets/last.safetensors").is_file()


def test_an_unknown_example_is_refused_with_the_names_there_are(invoke, installed):
    line = one_line_error(invoke("train", "--example", "odes"), ExitCode.USAGE)
    assert line.endswith("--example odes: there is no such text. The examples are: sonnets.")


def test_an_example_and_a_text_exclude_each_other(invoke, text):
    line = one_line_error(invoke("train", text, "--example", "sonnets"), ExitCode.USAGE)
    assert "leave TEXT out" in line


@pytest.mark.slow
def test_a_built_wheel_has_the_code_the_page_the_models_and_the_texts(tmp_path):
    pytest.importorskip("hatchling")
    code = "import hatchling.build, sys; hatchling.build.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    built = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "charrnn_cli").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped_files = {f"checkpoints/{name}/best.safetensors" for name in shipped.MODELS}
    shipped_files |= {f"data/{path.name}" for path in (ROOT / "data").iterdir() if path.is_file()}
    assert {Path(name).suffix for name in package} >= {".py", ".js", ".css", ".html"}
    wanted = package | {f"charrnn_cli/shipped/{name}" for name in shipped_files}
    assert wanted - built == set()
    assert {name for name in built - wanted if "dist-info/" not in name} == set()


def test_no_message_advises_to_install_another_program():
    for path in (*ROOT.glob("charrnn_cli/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"):
        assert "install charrnn" not in path.read_text("utf-8").replace("'", ""), path
