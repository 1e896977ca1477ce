"""kill -9 at random moments of a training, resumed each time: the end is as if nothing had been."""

import os
import random
import shutil
import signal
import time

from workshop import (
    RESUME,
    TRAIN,
    ended,
    has_checkpoint,
    make_text,
    result,
    run,
    start,
    stopped_at,
    the_run,
)

KILLS = int(os.environ.get("KILLS", "200"))


def test_however_often_it_is_killed_a_run_ends_with_the_same_bytes(tmp_path):
    rng = random.Random(0)
    stopped_at(tmp_path / "warm-up", 1)  # what is imported late is there before the forks
    killed = before_the_first_save = runs = 0
    while killed < KILLS:
        seed = ["--random-seed", str(runs)]
        whole, folder = make_text(tmp_path / f"whole{runs}"), make_text(tmp_path / f"run{runs}")
        begun = time.monotonic()
        assert run(*TRAIN, *seed, cwd=whole) == 0
        takes = time.monotonic() - begun
        code = None
        while code != 0:
            often = ["--save-every", str(rng.choice([0, 0.02, 0.1, 60]))]
            if has_checkpoint(folder):
                pid = start(*RESUME, *often, cwd=folder)
            else:
                shutil.rmtree(folder / "checkpoints", ignore_errors=True)
                pid = start(*TRAIN, *seed, *often, cwd=folder)
            time.sleep(rng.uniform(0, takes))
            os.kill(pid, signal.SIGKILL)
            code = ended(pid)
            if code == 2 and "is complete" in (folder / "stderr").read_text():
                break  # the kill before came between the last save and the end
            assert code in (0, -signal.SIGKILL), (folder / "stderr").read_text()
            if code:
                killed += 1
                before_the_first_save += not has_checkpoint(folder)
        assert result(folder) == result(whole)
        assert not list(the_run(folder).glob(".*.tmp"))
        runs += 1
    print(
        f"\n{killed} kills, {before_the_first_save} of them before the first save, in {runs} runs: "
        "each ended with the bytes of the run undisturbed"
    )
