"""What this machine offers, what a run would use, and which known traps lie ahead."""

import os
import platform
import shutil
import sys
import time
from importlib import metadata
from pathlib import Path

import joblib
import torch
from packaging.version import Version
from rich.console import Console
from rich.table import Table

from gansynth.devices import make_training_fabric
from gansynth.errors import StudyError
from gansynth.sections import ComputeConfig
from gansynth.study_files import load_study
from pipelines.workers import worker_count

PACKAGES = (
    "gansynth",
    "torch",
    "torchvision",
    "lightning-fabric",
    "prefect",
    "fastapi",
    "numpy",
    "pyarrow",
    "pydantic",
)
MATRIX_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
GIB = 1024**3
LEAST_MEMORY_PER_WORKER = 1.5
LEAST_DISK = 3.0
BF16_PAYS = 1.3
TRIALS = 15


def examine(study_file: Path | None) -> None:
    """Print what was found, and a line for each trap.

    Raises:
        StudyError: The study file is wrong.
    """
    compute = load_study(study_file).compute if study_file else ComputeConfig()
    table = Table.grid(padding=(0, 2))
    for name, value in _findings(compute):
        table.add_row(name, value)
    console = Console(highlight=False)
    console.print(table)
    for warning in _traps(compute):
        console.print(f"warning: {warning}", markup=False)


def _findings(compute: ComputeConfig) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    memory = _memory_gib()
    return [
        ("system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"),
        ("packages", versions),
        ("cores", f"{joblib.cpu_count()} usable of {os.cpu_count()}"),
        ("threads", f"{torch.get_num_threads()} in torch by default, {compute.threads} in each worker"),
        ("memory", f"{memory:.1f} GiB" if memory else "unknown"),
        ("disk", f"{_disk_gib():.1f} GiB free here"),
        ("processor", f"{torch.backends.cpu.get_cpu_capability()}; {_matrix_units()}"),
        ("devices", "; ".join(_devices()) or "no GPU"),
        ("prefect", os.environ.get("PREFECT_API_URL") or f"temporary server, database in {_prefect_home()}"),
        ("bf16", _bf16_advice(compute)),
        ("a run uses", f"{worker_count(compute)} worker(s), device {_device(compute)}, precision {compute.precision}"),
    ]


def _device(compute: ComputeConfig) -> str:
    if compute.accelerator != "auto":
        return compute.accelerator
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _traps(compute: ComputeConfig) -> list[str]:
    """Return what is known to go wrong with what is here."""
    traps = []
    if Version(metadata.version("fastapi")) >= Version("0.151") and Version(metadata.version("prefect")) < Version(
        "3.9"
    ):
        traps.append("fastapi 0.151 and later break the server of prefect 3.8; pip install 'fastapi<0.151'")
    workers, memory = worker_count(compute), _memory_gib()
    if memory and memory < workers * LEAST_MEMORY_PER_WORKER:
        traps.append(f"{memory:.1f} GiB of memory are little for {workers} workers; set compute.workers lower")
    if workers * compute.devices * compute.threads > joblib.cpu_count():
        traps.append(
            f"{workers} workers of {compute.devices} process(es) with {compute.threads} threads each share"
            f" {joblib.cpu_count()} cores; lower one of them"
        )
    if _disk_gib() < LEAST_DISK:
        traps.append(f"{_disk_gib():.1f} GiB of disk are free here; a run may need more")
    try:
        make_training_fabric(compute)
    except StudyError as error:
        traps.append(str(error))
    if shutil.which("nvidia-smi") and not torch.cuda.is_available():
        traps.append("there is an NVIDIA driver, but this torch cannot use it; install a CUDA build of torch")
    writable = next(folder for folder in [_prefect_home(), *_prefect_home().parents] if folder.exists())
    if not os.access(writable, os.W_OK):
        traps.append(f"{writable} is not writable, and Prefect keeps its database there; set PREFECT_HOME")
    return traps


def _memory_gib() -> float | None:
    """Return the memory that this process may use: the machine's, or its container's limit."""
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    container = Path("/sys/fs/cgroup/memory.max")
    if container.exists() and (text := container.read_text().strip()).isdigit():
        limits.append(int(text))
    return min(limits) / GIB if limits else None


def _disk_gib() -> float:
    return shutil.disk_usage(Path.cwd()).free / GIB


def _prefect_home() -> Path:
    return Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()


def _matrix_units() -> str:
    """Say which instructions for fast matrix products there are."""
    cpu_info = Path("/proc/cpuinfo")
    flags = set(cpu_info.read_text().split()) if sys.platform == "linux" and cpu_info.exists() else set()
    found = [flag for flag in MATRIX_FLAGS if flag in flags]
    return ", ".join(found) or "no further instructions known"


def _bf16_advice(compute: ComputeConfig) -> str:
    """Say what bf16 would gain, measured by a convolution like those of the default family."""
    torch.set_num_threads(compute.threads)
    device = torch.device(_device(compute))
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return "slow on this GPU; keep compute.precision at 32-true"
    convolution = torch.nn.Conv2d(32, 32, 3, padding=1).to(device)
    images = torch.rand(64, 32, 14, 14, device=device)
    speed = _seconds(convolution, images, bf16=False) / _seconds(convolution, images, bf16=True)
    if speed < BF16_PAYS:
        return f"{speed:.1f} times the speed of 32 bits in a convolution; keep compute.precision at 32-true"
    return (
        f"{speed:.1f} times the speed of 32 bits in a convolution; --set compute.precision=bf16-mixed is faster, and"
        " changes results a little"
    )


def _seconds(convolution: torch.nn.Module, images: torch.Tensor, *, bf16: bool) -> float:
    """Return the shortest of several times that a convolution takes, forwards and backwards."""
    times = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            total = convolution(images).sum()
        total.backward()
        total.item()  # waits for the device
        times.append(time.perf_counter() - started)
    return min(times)


def _devices() -> list[str]:
    devices = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        devices.append(f"cuda:{index} {properties.name}, {properties.total_memory / GIB:.0f} GiB, {bf16}")
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices
