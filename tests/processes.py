"""Trainings in several real processes, as PyTorch's launcher starts them."""

import hashlib
import json
import multiprocessing
import os
import socket
from pathlib import Path

from factories import ask_to_train

WISHES = {"batch_size": 6, "seq_length": 24, "epochs": 3, "dropout": 0.3, "learning_rate": 0.01}


def in_processes(size, task, folder, *arguments):
    """What `task(group, folder, *arguments)` gives in each process of a group."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    # once for all processes of all groups
    context.set_forkserver_preload(["torch", "charrnn_cli.training.setup"])
    folders = [folder / f"rank{rank}" for rank in range(size)]
    processes = []
    for rank, own in enumerate(folders):
        own.mkdir(parents=True)
        environment = {
            "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size,
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
        }  # fmt: skip
        process = context.Process(target=_work, args=(environment, task, own, *arguments))
        process.start()
        processes.append(process)
    for process in processes:
        process.join(300)
        assert process.exitcode == 0
    return [json.loads((own / "result.json").read_text()) for own in folders]


def _work(environment, task, folder, *arguments):
    os.environ |= {name: str(value) for name, value in environment.items()}
    import torch

    from charrnn_cli.training.distributed.processes import open_group

    torch.set_num_threads(1)
    with open_group() as group:
        result = task(group, folder, *arguments)
    (folder / "result.json").write_text(json.dumps(result))


def train_together(group, text, folder, stop_at, **wishes):
    """Train to a step; return the losses, the end, and a checksum of the weights."""
    from charrnn_cli.training.events import Evaluated, Stepped
    from charrnn_cli.training.setup import open_training

    wishes = wishes if "resume" in wishes else WISHES | wishes
    with open_training(ask_to_train(text, folder, **wishes), group) as training:
        trainer = training.trainer
        events = list(trainer.steps(lambda: trainer.progress.step >= stop_at))
        weights = b"".join(p.detach().numpy().tobytes() for p in trainer.model.parameters())
    return {
        "losses": [event.loss for event in events if isinstance(event, Stepped)],
        "val_losses": [event.val_loss for event in events if isinstance(event, Evaluated)],
        "end": [events[-1].reason, trainer.progress.step],
        "weights": hashlib.sha256(weights).hexdigest(),
    }


def files_in(folder: Path) -> list[str]:
    """The files below a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
