"""Programs without their start-up: a process that has imported everything forks for each.

Importing PyTorch takes seconds, and the pages have dozens of commands that take a tenth of one. A
command is given to such a process by a script, which hands over its words, folder, environment,
stdin, stdout and stderr, and ends with the command's exit code.
"""

import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# -I and -S: nothing but the standard library is needed, and it starts in a few milliseconds
SCRIPT = """\
#!{python} -IS
import json, os, socket, sys
words = sys.argv
if os.path.basename(words[0]) == "python":
    if words[1:3] != ["-m", "charrnn_cli"]:
        os.execv({python!r}, [{python!r}, *words[1:]])
    words = ["charrnn", *words[3:]]
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
server.sendall(request)
for descriptor in (0, 1, 2):
    os.close(descriptor)
os._exit(server.recv(1)[0])
"""

IMPORTED = (
    "torch", "matplotlib.figure", "matplotlib.backends.backend_agg",
    "charrnn_cli.export.html_page", "charrnn_cli.scoring.report",
    "charrnn_cli.training.train_report", "charrnn_cli.__main__",
)  # fmt: skip


@contextlib.contextmanager
def warm_program(folder: Path) -> Iterator[Path]:
    """A folder with the commands `charrnn`; `script`, which runs a program in Python; and `python`,
    which that program finds as its interpreter, and which is a usual one but for `-m charrnn_cli`.
    A process in the background carries them out."""
    address = str(folder / "socket")
    for command in (folder / "charrnn", folder / "script", folder / "python"):
        command.write_text(SCRIPT.format(python=sys.executable, address=address))
        command.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        server = subprocess.Popen(
            [sys.executable, __file__, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},  # also for what is imported before a fork
        )
    try:
        yield folder
    finally:
        server.kill()
        server.wait()


def serve(listening: socket.socket) -> None:
    """Import what commands import, then fork for each that comes."""
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(carry_out(connection))
        connection.close()


def carry_out(connection: socket.socket) -> int:
    """Fork once more for the command that a connection asks for, and send its exit code."""
    size, descriptors, *_ = socket.recv_fds(connection, 4, 3)
    request = b""
    while len(request) < int.from_bytes(size, "big"):
        request += connection.recv(1 << 16)
    (name, *words), folder, environment = json.loads(request)
    child = os.fork()
    if child == 0:
        for descriptor, number in zip(descriptors, (0, 1, 2), strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        connection.close()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        code: object = 0
        try:
            run_program(Path(name), words)
        except SystemExit as end:
            code = end.code
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
    for descriptor in descriptors:
        os.close(descriptor)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(OSError):  # the script was killed
        connection.sendall(bytes([code if code >= 0 else 128 - code]))
    return 0


def run_program(command: Path, words: list[str]) -> None:
    """Run charrnn with these words, or the program in Python that the first of them names."""
    if command.name == "charrnn":
        from charrnn_cli.__main__ import main

        sys.argv = ["charrnn", *words]
        main()
    else:
        sys.argv, sys.path[0] = words, str(Path(words[0]).parent)
        sys.executable = str(command.with_name("python"))
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
