"""A device "cuda:0" without a GPU, for a build of torch for processors: a stub that is compiled when asked for.

`pretend` has to run before torch is imported, so only processes of their own can use it. What the device would be asked
to do is recorded by `helpers.device_record`.
"""

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".cpp")
WANTED_BY = ("steps", "evaluations")
"""What `helpers.device_cases` records on the device."""
LINKED = ("libc10.so", "libtorch_cpu.so")
"""Libraries of torch whose symbols the stub needs."""


def built(folder: Path) -> Path:
    """Return the stub for the torch that is installed, compiled into a folder unless it lies there.

    Raises:
        FileNotFoundError: if this machine has no compiler.
    """
    if (compiler := shutil.which("g++") or shutil.which("clang++")) is None:
        raise FileNotFoundError("no compiler of C++")
    torch = torch_folder()
    version = hashlib.sha256((torch / "version.py").read_bytes() + SOURCE.read_bytes())
    stub = folder / f"fake_cuda-{version.hexdigest()[:12]}.so"
    if not stub.exists():
        made = stub.with_suffix(f".{os.getpid()}")
        options = ["-O0", "-shared", "-fPIC", "-std=c++20", str(SOURCE), "-o", str(made)]
        headers = [f"-I{torch}/include", f"-I{torch}/include/torch/csrc/api/include"]
        libraries = [f"-L{torch}/lib", "-lc10", "-ltorch_cpu", f"-Wl,-rpath,{torch}/lib"]
        subprocess.run([compiler, *options, *headers, *libraries], check=True)
        made.replace(stub)
    return stub


def torch_folder() -> Path:
    """Return the folder of torch, which is not imported."""
    found = importlib.util.find_spec("torch")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def pretend(stub: Path) -> None:
    """Make torch, which must not be imported yet, believe in one CUDA device."""
    assert "torch" not in sys.modules
    for name in LINKED:
        ctypes.CDLL(str(torch_folder() / "lib" / name), mode=ctypes.RTLD_GLOBAL)
    ctypes.CDLL(str(stub), mode=ctypes.RTLD_GLOBAL)
    import torch

    torch.cuda.is_bf16_supported = lambda *args, **options: True
    for module in (torch.cuda.amp.common, torch.amp.autocast_mode):
        module.amp_definitely_not_available = lambda: False
