"""Memory that is free within the limits of control groups and of the process."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from vae_mf import memory
from vae_mf.memory import available_memory, left_by_groups

TOTAL = 10**15


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def second_version(root: Path, group: str, limit: str, used: int, cache: int) -> None:
    folder = f"sys/fs/cgroup/{group}"
    statistics = f"anon 5\nfile 900\ninactive_file {cache}\nactive_file 7\n"
    write(root, {f"{folder}/memory.max": limit, f"{folder}/memory.current": f"{used}\n"})
    write(root, {f"{folder}/memory.stat": statistics})


def test_groups_of_the_second_version_leave_what_their_limit_does_and_so_do_those_around_them(tmp_path):
    write(tmp_path, {"proc/self/cgroup": "0::/slurm/job_7/step_0\n"})
    second_version(tmp_path, "slurm/job_7/step_0", "max\n", 400, 0)
    second_version(tmp_path, "slurm/job_7", "1000\n", 600, cache=150)
    second_version(tmp_path, "slurm", "5000\n", 2000, 0)
    assert list(left_by_groups(tmp_path)) == [550, 3000]


def test_a_container_sees_its_own_group_as_the_topmost(tmp_path):
    write(tmp_path, {"proc/self/cgroup": "0::/docker/0123456789\n"})
    second_version(tmp_path, "", "2000\n", 500, cache=100)
    assert list(left_by_groups(tmp_path)) == [1600]


def test_a_group_of_the_first_version_is_that_of_the_memory_controller(tmp_path):
    folder = "sys/fs/cgroup/memory/slurm/uid_1/job_7"
    write(
        tmp_path, {"proc/self/cgroup": "9:name=systemd:/a:b\n4:cpu,memory:/slurm/uid_1/job_7\n1:cpuset:/slurm\n0::/\n"}
    )
    write(tmp_path, {f"{folder}/memory.limit_in_bytes": "1000\n", f"{folder}/memory.usage_in_bytes": "900\n"})
    write(tmp_path, {f"{folder}/memory.stat": "inactive_file 3\ntotal_inactive_file 50\n"})
    write(tmp_path, {"sys/fs/cgroup/cpuset/slurm/memory.limit_in_bytes": "1\n"})
    assert list(left_by_groups(tmp_path)) == [150]


def test_there_are_no_groups_where_there_is_no_linux(tmp_path):
    assert not list(left_by_groups(tmp_path))


@pytest.mark.parametrize(("left", "available"), [([10**6, 5000], 5000), ([-300], 0), ([], TOTAL)])
def test_the_least_of_all_limits_is_available(monkeypatch, left, available):
    monkeypatch.setattr(memory, "left_by_groups", lambda root: iter(left))
    monkeypatch.setattr(memory, "left_by_limit", lambda: iter([TOTAL]))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 2 * TOTAL}))
    assert available_memory() == available


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is kept to by Linux")
def test_the_limit_of_the_address_space_counts():
    limit = 10**9
    program = f"""
import resource
from vae_mf.memory import available_memory
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
print(available_memory())
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0.5 * limit < int(found.stdout) < limit
