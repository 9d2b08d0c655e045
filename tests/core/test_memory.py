import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from core.memory import Knob, OutOfMemory, explained, measured, what_ran_out

ROOT = Path(__file__).parents[2]

KNOBS = [
    Knob.halved("train.batch_size", 16, "activations grow with it"),
    Knob("train.gradient_checkpointing", False, True, "activations are computed twice, not kept"),
    Knob("model.max_tokens", 2048, 512, "attention grows with its square"),
    Knob("train.workers", 1, 1, "each holds a copy"),
]


def test_a_host_without_memory_is_told_with_overrides_to_paste():
    says = r"^this machine ran out of memory when 7.11 PiB more were asked for"
    with pytest.raises(OutOfMemory, match=says) as caught, explained(KNOBS):
        np.empty(10**15)  # 8 bytes each: 8e15 / 2**50 = 7.11 PiB, more than an address can name
    assert caught.value.exit_code == 1
    assert caught.value.hint.splitlines()[1:] == [
        "  train.batch_size=8                 # now 16: activations grow with it",
        "  train.gradient_checkpointing=true  # now false: activations are computed twice, not kept",
        "  model.max_tokens=512               # now 2048: attention grows with its square",
    ]


def test_torchs_cpu_allocator_is_recognised():
    says = r"this machine ran out of memory when 3725290.3 GiB more"
    with pytest.raises(OutOfMemory, match=says), explained(KNOBS):
        torch.empty(10**15)  # 4 bytes each: 4e15 / 2**30 = 3,725,290.3 GiB


def test_torchs_gpu_error_is_recognised():
    message = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.6 GiB"
    says = r"^the GPU ran out of memory when 2.50 GiB more were asked for \("
    with pytest.raises(OutOfMemory, match=says), explained(KNOBS):
        raise torch.OutOfMemoryError(message)


@pytest.mark.gpu
def test_a_full_gpu_is_told_with_what_was_measured():
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    says = r"the GPU ran out of memory when .* device 0: \d+\.\d of \d+\.\d GiB are free"
    with pytest.raises(OutOfMemory, match=says), explained(KNOBS):
        torch.empty(2**45, device="cuda")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("CUDA error: out of memory", "GPU"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", "GPU"),
        ("MPS backend out of memory (MPS allocated: 17.2 GB)", "GPU"),
        ("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried", "host"),
        ("mmap failed: Cannot allocate memory", "host"),
        ("mat1 and mat2 shapes cannot be multiplied", None),
        ("", None),
    ],
)
def test_runtime_errors_are_told_apart_by_their_words(message, kind):
    assert what_ran_out(RuntimeError(message)) == kind


def test_another_error_passes_unchanged():
    error = RuntimeError("shapes do not fit")
    with pytest.raises(RuntimeError) as caught, explained(KNOBS):
        raise error
    assert caught.value is error


def test_a_block_that_succeeds_is_left_alone():
    with explained(KNOBS):
        pass


def test_when_nothing_can_be_smaller_it_says_so():
    with pytest.raises(OutOfMemory) as caught, explained([Knob.halved("batch_size", 1, "")]):
        raise MemoryError
    assert "=" not in caught.value.hint
    assert "smaller model" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "least", "smaller"), [(16, 1, 8), (3, 1, 1), (1, 1, 1), (10, 8, 8), (8, 8, 8), (4, 8, 4)]
)
def test_halving_stops_at_the_least_and_never_grows(value, least, smaller):
    assert Knob.halved("f", value, "", least=least).smaller == smaller


def test_the_hosts_memory_is_measured():
    total = psutil.virtual_memory().total / 2**30
    assert f"of {total:.1f} GiB are free, this process holds" in measured("host")


def test_torch_is_not_imported_for_the_advice():
    code = """
        import sys
        from core.memory import explained
        from core.errors import DrError
        for error in (MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 1.00 GiB")):
            try:
                with explained([]):
                    raise error
            except DrError as told:
                print(told.what)
        print("torch" in sys.modules)
    """
    asked = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second, torch = asked.stdout.splitlines()
    assert first.startswith("this machine ran out of memory (")
    assert second == "the GPU ran out of memory when 1.00 GiB more were asked for (its use could not be measured)"
    assert torch == "False"
