"""How fast two processes train, beside one with one thread and one with two.

    python benchmarks/scaling.py [TEXT] [--rounds 9] [--settings 256,16 ...]

TEXT is that of the sonnets unless given. Weak scaling: each process keeps its batch, so that two
train on twice as much a step; twice the speed of one is the most there can be. One process with
two threads and two with one each then have the same batch. All take their turns within each
round, for some steps; the others wait meanwhile.
"""

import argparse
import multiprocessing
import os
import socket
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from side_by_side import medians, setting

SONNETS = Path(__file__).parent.parent / "data" / "sonnets.txt"
SETTINGS = [(256, 16), (256, 32), (384, 64), (512, 64)]  # units, batch rows of a process
WINDOW = 32
STEPS = 8  # in a row


def train(connection: Connection, environment: dict[str, str], words: dict[str, object]) -> None:
    """In a process of its own: train some steps for each true message; answer with the seconds."""
    os.environ.update(environment)
    from charrnn_cli.training.distributed.processes import open_group
    from charrnn_cli.training.events import Stepped
    from charrnn_cli.training.setup import Request, open_training

    request = Request(started=time.monotonic(), device="cpu", save_every=1e9, **words)
    with open_group() as group, open_training(request, group) as training:
        steps = (e for e in training.trainer.steps() if isinstance(e, Stepped))
        next(steps)
        while connection.recv():
            begun = time.perf_counter()
            for _ in range(STEPS):
                next(steps)
            connection.send(time.perf_counter() - begun)
    os._exit(0)  # closing the group in order would wait for processes that may be gone


class Team:
    """Processes that train one model together."""

    def __init__(self, processes: int, threads: int, text: str, folder: Path, **given: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch"])
        self.characters = STEPS * given["batch_size"] * given["seq_length"]
        words = {"sources": (text,), "checkpoints": folder, "threads": threads, "given": given}
        self.connections = []
        for rank in range(processes):
            ours, theirs = context.Pipe()
            environment = {"RANK": str(rank), "WORLD_SIZE": str(processes)}
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            context.Process(target=train, args=(theirs, environment, words), daemon=True).start()
            self.connections.append(ours)

    def seconds(self) -> float:
        """The time of some steps."""
        for connection in self.connections:
            connection.send(True)
        return float(max(connection.recv() for connection in self.connections))

    def end(self) -> None:
        """Let the processes end."""
        for connection in self.connections:
            connection.send(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", nargs="?", default=str(SONNETS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--settings", type=setting, nargs="+", default=SETTINGS)
    arguments = parser.parse_args()
    print(f"{arguments.rounds} rounds of {STEPS} steps in turn, medians, characters a second")
    print("              1 process, 1 thread  2 processes, 1 thread each   1 process, 2 threads")
    print("model         batch       speed    batch       speed   ratio    batch       speed ratio")
    for units, rows in arguments.settings:
        given = {"hidden_size": units, "num_layers": 1, "dropout": 0.0, "epochs": 1000}
        given |= {"seq_length": WINDOW, "patience": 1000}
        with tempfile.TemporaryDirectory() as folder:
            teams = {
                (processes, threads): Team(
                    processes, threads, arguments.text, Path(folder),
                    batch_size=rows * processes * threads, **given,
                )
                for processes, threads in ((1, 1), (2, 1), (1, 2))
            }  # fmt: skip
            taken = medians(
                {str(key): team.seconds for key, team in teams.items()}, arguments.rounds
            )
            speed = {key: team.characters / taken[str(key)] for key, team in teams.items()}
            for team in teams.values():
                team.end()
            time.sleep(0.5)
        one, two, threads = speed.values()
        print(
            f"gru 1 x {units}  {rows:4} x {WINDOW}  {one:9,.0f}"
            f"  {2 * rows:4} x {WINDOW}  {two:9,.0f}  {two / one:5.2f}"
            f"  {2 * rows:4} x {WINDOW}  {threads:9,.0f}  {threads / one:5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
