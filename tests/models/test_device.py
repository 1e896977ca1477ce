"""Devices: which there are, how they are named, and memory that runs out."""

import pytest
import torch

from charrnn_cli.errors import MemoryLimitError, UsageError
from charrnn_cli.models.device import (
    available_devices,
    choose_device,
    describe_device,
    memory_limit,
)


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")
    assert "cpu" in available_devices()


def test_auto_is_the_fastest_there_is():
    assert choose_device("auto").type == available_devices()[0]


@pytest.mark.parametrize("name", ["nonsense", "", "cuda:x", "cuda:-1", "meta", "cuda:1:2", "CPU"])
def test_what_is_no_device_is_refused_with_what_could_be(name):
    with pytest.raises(UsageError) as caught:
        choose_device(name)
    assert str(caught.value) == f"--device {name}: must be auto, cpu, cuda, cuda:N or mps."


@pytest.mark.parametrize("name", ["cuda:9", "cpu:7", "mps"])
def test_a_device_that_is_not_there_is_refused_with_what_is(name):
    if name in available_devices():
        pytest.skip(f"{name} is there")
    with pytest.raises(UsageError) as caught:
        choose_device(name)
    assert f"--device {name}: not on this machine" in str(caught.value)
    assert str(caught.value).endswith(f"There is: {', '.join(available_devices())}.")


def test_a_gpu_that_is_named_becomes_the_current_one(monkeypatch):
    chosen = []
    for name, value in [("is_available", True), ("device_count", 2)]:
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert chosen == [torch.device("cuda:1")]


@pytest.mark.parametrize(("threads", "expected"), [(1, "cpu (1 thread)"), (4, "cpu (4 threads)")])
def test_a_cpu_is_described_with_its_threads(threads, expected):
    assert describe_device(torch.device("cpu"), threads) == expected


def test_memory_that_runs_out_is_told_with_what_to_lower(train_config):
    with pytest.raises(MemoryLimitError) as caught, memory_limit(train_config):
        torch.empty(2**58)
    for option in ("--batch-size 4", "--seq-length 16", "--hidden-size"):
        assert option in str(caught.value)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_every_kind_of_memory_error_is_told(train_config, error):
    with pytest.raises(MemoryLimitError), memory_limit(train_config):
        raise error


def test_other_errors_are_not_taken_for_one_of_memory(train_config):
    with pytest.raises(RuntimeError, match="shapes"), memory_limit(train_config):
        raise RuntimeError("shapes do not fit")
