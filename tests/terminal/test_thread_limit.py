"""A limit of threads: an error of its own, not an end by Ctrl-C."""

import os
import shutil
import subprocess
import sys

import pytest
from factories import SONNETS

from charrnn_cli.errors import ExitCode


def run_with_fake_numpy(tmp_path, charrnn, source, **environment):
    (tmp_path / "fake" / "numpy").mkdir(parents=True)
    (tmp_path / "fake" / "numpy" / "__init__.py").write_text(source)
    paths = [str(tmp_path / "fake"), os.environ.get("PYTHONPATH", "")]
    settings = {"PYTHONPATH": os.pathsep.join(paths), **environment}
    return charrnn("info", env=os.environ | settings)


@pytest.mark.slow
def test_a_library_that_cannot_start_its_threads_is_an_error_that_names_the_variable(
    tmp_path, charrnn
):
    source = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    done = run_with_fake_numpy(tmp_path, charrnn, source)
    assert done.returncode == ExitCode.OUT_OF_MEMORY
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: this machine allows no more threads")
    assert "OPENBLAS_NUM_THREADS=1" in line


@pytest.mark.slow
def test_ctrl_c_at_the_same_time_is_still_ctrl_c(tmp_path, charrnn):
    source = (
        "import os, subprocess, sys\n"
        "code = f'import os, signal; os.kill({os.getpid()}, signal.SIGINT)'\n"
        "subprocess.run([sys.executable, '-c', code])\n"
    )
    done = run_with_fake_numpy(tmp_path, charrnn, source)
    assert done.returncode == -2
    assert done.stderr == ""


# root has no limit of processes: another user who may read root's files stands in for a user
AS_ANOTHER = ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+dac_override",
              "--ambient-caps=+dac_override"]  # fmt: skip


def limited(words, tmp_path, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    limit = ["prlimit", "--nproc=1:1"]
    command = [*AS_ANOTHER, *limit, sys.executable, "-m", "charrnn_cli", *words]
    return subprocess.run(
        command, cwd=tmp_path, env=environment | variables, capture_output=True, text=True
    )


def can_limit() -> bool:
    if os.name != "posix" or os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        return False
    if not (shutil.which("setpriv") and shutil.which("prlimit")):
        return False
    return subprocess.run([*AS_ANOTHER, "true"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_limit(), reason="needs root, setpriv and two cores")
@pytest.mark.parametrize("words", [["info"], ["train", "text.txt"]], ids=" ".join)
def test_a_limit_of_one_thread_ends_with_the_code_of_memory(tmp_path, words):
    (tmp_path / "text.txt").write_text(SONNETS.read_text()[:2000])
    done = limited(words, tmp_path)
    assert done.returncode == ExitCode.OUT_OF_MEMORY
    # train has NumPy compute on one thread
    variable = "OMP_NUM_THREADS" if words[0] == "train" else "OPENBLAS_NUM_THREADS"
    assert f"{variable}=1" in done.stderr.splitlines()[-1]
    if words[0] == "train":
        epochs = ["--epochs", "0.1", "--hidden-size", "8"]
        assert limited([*words, *epochs], tmp_path, OMP_NUM_THREADS="1").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_limit(), reason="needs root, setpriv and two cores")
def test_under_a_limit_of_one_thread_many_samples_are_written_by_one(tmp_path):
    words = "sample", "sonnets", "--num-samples", "40", "--length", "3", "--random-seed", "1"
    done = limited(words, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == limited(words, tmp_path, OPENBLAS_NUM_THREADS="1").stdout
