"""NumPy computes on one thread, and PyTorch on as many as without charrnn."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # each test starts a process

# OpenBLAS has a thread of the process for each that it computes with.
PRINTED = """
import os
from charrnn_cli.terminal.thread_limit import import_numpy
import_numpy(one_thread=True)
print(len(os.listdir("/proc/self/task")), os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def printed(**variables):
    words = [sys.executable, "-c", PRINTED]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **variables}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
def test_numpy_has_one_thread_and_the_variables_are_as_they_were():
    assert printed() == ["1", "None"]


def test_a_number_of_threads_that_the_user_has_set_is_kept():
    assert printed(OPENBLAS_NUM_THREADS="2")[1] == "2"


def test_the_threads_of_samples_are_counted_before_numpy_is_imported():
    counted = "from charrnn_cli.commands import sample; sample.threads_for(64)"
    words = [sys.executable, "-c", f"{counted}; import sys; print('numpy' in sys.modules)"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
