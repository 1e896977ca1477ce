"""The program as a process: signals, pipes, terminals, locales, what it imports."""

import json
import os
import re
import signal
import subprocess

import pytest
from factories import SONNETS, make_checkpoint, one_line_error, save_checkpoint
from terminal import CHARRNN, modules_after, on_terminal, open_terminal

from charrnn_cli.checkpoints.checkpoint import load

pytestmark = pytest.mark.slow  # each test starts processes

LIGHT = ["--help", "--version", "train --help", "info", "info --json", "info --all", "sample"]


@pytest.mark.parametrize("words", [words.split() for words in LIGHT])
def test_no_light_command_imports_torch_or_matplotlib(trained, words):
    last = ["--checkpoints", trained] if words[0] in ("info", "sample") else []
    assert not {"torch", "matplotlib"} & modules_after(*words, *last, cwd=trained)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nosuch.txt"], 3),
        ([], 2),
        (["--resume", "nosuch"], 4),
        (["a.txt", "--init-from", "nosuch"], 4),
        (["a.txt", "--name", "taken"], 2),
        (["a.txt", "--model", "lstm", "--num-heads", "2"], 2),
    ],
)
def test_what_needs_no_torch_is_refused_before_it_is_imported(tmp_path, words, code):
    (tmp_path / "a.txt").write_text("abc" * 100)
    (tmp_path / "checkpoints" / "taken").mkdir(parents=True)
    assert "torch" not in modules_after("train", *words, cwd=tmp_path, code=code)


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_does_not_even_import_numpy(trained, words):
    assert "numpy" not in modules_after(*words, cwd=trained)


def test_training_does_not_import_pytorchs_compiler(rain, tmp_path):
    modules = modules_after("train", rain, "--epochs", "1", "--hidden-size", "8", cwd=tmp_path)
    assert "torch" in modules
    assert "torch._dynamo" not in modules


@pytest.mark.parametrize("size", ["2", "many"])
def test_a_size_of_a_group_that_nobody_launched_is_one_line(invoke, rain, monkeypatch, size):
    monkeypatch.setenv("WORLD_SIZE", size)
    line = one_line_error(invoke("train", rain, "--quiet"), 2)
    assert re.fullmatch(r"Error: WORLD_SIZE is set .*torchrun\.", line)


def test_a_reader_that_has_had_enough_ends_the_sample_silently(trained):
    shell = f"{' '.join(CHARRNN)} sample --length 0 --random-seed 1 --checkpoints '{trained}'"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shell} | head -c 100"],
        capture_output=True, env=environment, timeout=60,
    )  # fmt: skip
    assert len(done.stdout) == 100
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_pipe_after_little_output_is_silent(trained):
    shell = f"{' '.join(CHARRNN)} info --checkpoints '{trained}' | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_one_line(trained, charrnn):
    with open("/dev/full", "w") as full:
        done = charrnn(
            "sample", "--random-seed", 1, "--checkpoints", trained,
            stdout=full, stderr=subprocess.PIPE, capture_output=False,
        )  # fmt: skip
    assert done.returncode == 5
    assert done.stderr.startswith("Error: stdout: cannot be written (No space left")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_a_pipe_gets_exact_utf8_in_any_locale(tmp_path, charrnn, locale):
    checkpoint = make_checkpoint(vocabulary="žluťoučký kůň — 馬馬馬 🐎\n")
    save_checkpoint(tmp_path / "checkpoints/t/best.safetensors", checkpoint)
    environment = os.environ | {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = charrnn(
        "sample", "--random-seed", "1", "--num-samples", "2", env=environment, text=False
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.decode("utf-8")) & set("žťčýůň馬🐎")


SLOW = ["--hidden-size", "32", "--patience", "99999"]


def start_training(folder, *words):
    """A training of minutes, in a process of its own; returns at the first of its evaluations,
    which are a second apart."""
    process = subprocess.Popen(
        [*CHARRNN, "train", "poems.txt", "--epochs", "300", *SLOW, *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while "step" not in (line := process.stderr.readline()) or "characters" in line:
        assert line, "the training ended early"
    return process


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_saves_everything_and_says_how_to_go_on(text, tmp_path, name):
    process = start_training(tmp_path, "--json")
    process.send_signal(getattr(signal, name))
    result, said = process.communicate(timeout=30)
    assert json.loads(result)["reason"] == "stopped"
    assert process.returncode == -getattr(signal, name)  # by the signal; a shell calls it 128 + n
    assert "charrnn train --resume poems" in said
    last = load(tmp_path / "checkpoints/poems/last.safetensors", training=True)
    assert last.progress.step > 0


def test_ctrl_c_ends_a_loop_of_the_shell_too(trained):
    sample = f"{' '.join(CHARRNN)} sample --length 0 --checkpoints '{trained}'"
    process = subprocess.Popen(
        ["bash", "-c", f"for i in 1 2; do {sample}; done; echo went on"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.read(50)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all that run in it
    shown, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert b"went on" not in shown


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A training that runs in another process, and the folder that it was started in."""
    folder = tmp_path_factory.mktemp("running")
    (folder / "poems.txt").write_text(SONNETS.read_text()[:6000])
    process = start_training(folder)
    yield process, folder
    process.kill()
    process.communicate()


def test_sample_and_info_work_beside_a_training(running, charrnn):
    process, folder = running
    assert charrnn("sample", "poems", "--length", 10, cwd=folder).returncode == 0
    shown = charrnn("info", "poems", "--json", cwd=folder).stdout
    assert json.loads(shown)["finished"] is False
    assert process.poll() is None


def test_a_run_in_use_is_refused_naming_its_process(running, invoke, monkeypatch):
    process, folder = running
    monkeypatch.chdir(folder)
    line = one_line_error(invoke("train", "--resume", "poems"), 6)
    assert str(process.pid) in line


def test_a_training_under_nohup_survives_the_end_of_its_terminal(text, tmp_path):
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does; children inherit it
    try:
        process = start_training(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, handler)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    process.kill()
    process.communicate()


def later_than_an_evaluation(shown):
    """Whether the bar shows a step after that of the last evaluation's line."""
    evaluated = re.findall(r"step +([\d,]+)  .*held-out", shown)
    moved = re.findall(r"step ([\d,]+), ", shown)
    return evaluated and moved and moved[-1] != evaluated[-1] and "held-out" not in shown[-100:]


def test_a_closed_terminal_saves_everything(text, tmp_path):
    # evaluations seconds apart, so that one does not save what the end of the terminal should
    words = ["train", "poems.txt", "--epochs", "99999", "--minutes", "5", *SLOW]
    pid, screen = open_terminal(*words, cwd=tmp_path)
    shown = b""
    while not later_than_an_evaluation(shown.decode(errors="replace")):
        shown += os.read(screen, 65536)
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGHUP
    last = load(tmp_path / "checkpoints/poems/last.safetensors", training=True).progress
    assert last.step >= last.best_step > 0


def test_a_reader_of_the_messages_that_leaves_does_not_end_the_training(text, tmp_path):
    command = f"{' '.join(CHARRNN)} train poems.txt --epochs 4 --hidden-size 16 2>&1 | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=tmp_path)
    assert done.returncode == 0
    assert load(tmp_path / "checkpoints/poems/last.safetensors").progress.finished


def test_with_stderr_closed_nothing_of_it_gets_into_the_text(trained):
    words = "sample --length 10 --no-newline --checkpoints"
    command = f"{' '.join(CHARRNN)} {words} '{trained}' 2>&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True)
    assert len(done.stdout) == 10


def test_with_stderr_closed_a_training_goes_on(text, tmp_path):
    command = f"{' '.join(CHARRNN)} train poems.txt --epochs 1 --hidden-size 8 2>&-"
    assert subprocess.run(["bash", "-c", command], cwd=tmp_path).returncode == 0
    assert (tmp_path / "checkpoints/poems/best.safetensors").is_file()


def test_help_into_a_closed_pipe_is_silent():
    command = f"(sleep 1; {' '.join(CHARRNN)} train --help) | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", [["info"], ["--help"], ["--version"], ["train", "--help"]])
def test_what_cannot_be_shown_for_a_full_disk_is_one_line(trained, charrnn, words):
    last = ["--checkpoints", trained] if words == ["info"] else []
    with open("/dev/full", "w") as full:
        done = charrnn(*words, *last, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1


def test_a_failed_request_leaves_the_output_file_as_it_was(trained, tmp_path, invoke):
    (tmp_path / "verse.txt").write_text("precious")
    words = ["--device", "cuda:77", "--output", "verse.txt"]
    assert invoke("sample", "--checkpoints", trained, *words).exit_code == 2
    assert (tmp_path / "verse.txt").read_text() == "precious"


def test_a_killed_training_resumes_from_its_last_save(text, tmp_path, invoke):
    process = start_training(tmp_path)
    process.kill()
    process.communicate()
    saved = load(tmp_path / "checkpoints/poems/last.safetensors", training=True).progress
    done = invoke("train", "--resume", "--epochs", saved.epoch + 1)
    assert done.exit_code == 0, done.stderr
    assert f"goes on at step {saved.step:,}" in done.stderr


def test_a_terminal_gets_a_bar_with_loss_speed_and_time_left(text, tmp_path):
    words = ["train", "poems.txt", "--epochs", 20, "--hidden-size", 16]
    shown, code = on_terminal(*words, cwd=tmp_path)
    assert code == 0
    bar = next(part for part in reversed(shown.split("\r")) if "chars/s [" in part)
    for part in ("step ", "loss ", "bits/char", "chars/s", "left]", "%|"):
        assert part in bar


def test_off_a_terminal_there_is_no_bar(text, charrnn):
    done = charrnn("train", "poems.txt", "--epochs", "2", "--hidden-size", "16")
    assert "\r" not in done.stderr
    assert "%|" not in done.stderr
    assert "held-out" in done.stderr


def test_a_terminal_gets_control_and_bidi_characters_escaped(tmp_path, charrnn):
    checkpoint = make_checkpoint(vocabulary="\x1b\u202e\x9b")
    save_checkpoint(tmp_path / "checkpoints/odd/best.safetensors", checkpoint)
    shown, code = on_terminal("sample", "--random-seed", 1, "--length", 50, cwd=tmp_path)
    assert code == 0
    assert "\\x1b" in shown
    assert "\\u202e" in shown
    assert not set(shown) & set("\x1b\u202e\x9b")
    piped = charrnn(
        "sample", "--random-seed", "1", "--length", "50", "--no-newline", text=False
    ).stdout
    assert set(piped.decode()) == set("\x1b\u202e\x9b")


def test_ctrl_c_ends_an_endless_sample_silently(trained):
    process = subprocess.Popen(
        [*CHARRNN, "sample", "--length", "0", "--checkpoints", str(trained)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.read(50)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in said


def test_info_on_a_terminal_is_styled_and_fits_its_width(trained):
    shown, code = on_terminal("info", "--checkpoints", trained, cwd=trained)
    assert code == 0
    assert "\x1b[1m" in shown
    assert "\\x1b" not in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 100
