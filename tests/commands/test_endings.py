"""A command that is stopped, or whose output nobody reads on, ends as the shell expects it: without a traceback."""

import os
import re
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from helpers.commands import FORKS, run_all
from omegaconf import OmegaConf

from vae_mf.commands.figure import main as draw
from vae_mf.commands.main import main
from vae_mf.commands.reproduce import run_stage
from vae_mf.files import only_one
from vae_mf.runs.status import terminate

STOPPED_WHILE_IMPORTING = """
import os, signal, sys
from importlib.abc import MetaPathFinder

# As in a terminal, also where whoever started the tests ignores the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Stop(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Stop())
from vae_mf.commands.main import main
sys.argv = ["vae-mf", *{words!r}]
main()
"""
GOES_ON = "stopped; the same command goes on where it was\n"


def ended(module: str, *words: str, number: int = signal.SIGINT) -> tuple[int, str]:
    """Exit status and errors of a command that is stopped while it imports a module."""
    code = STOPPED_WHILE_IMPORTING.format(module=module, words=words, number=int(number))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("module", ["hydra", "numpy", "torch", "vae_mf.runs.command"])
def test_a_command_that_is_stopped_while_it_starts_says_so_in_one_line(module, tmp_path):
    assert ended(module, "train", f"paths.outputs={tmp_path}") == (130, GOES_ON)


@pytest.mark.parametrize("module", ["hydra", "vae_mf.runs.command"])
def test_a_command_that_is_terminated_while_it_starts_says_so_in_one_line(module):
    assert ended(module, "train", number=signal.SIGTERM) == (143, GOES_ON)


@pytest.mark.parametrize("body", ["pass", "raise KeyboardInterrupt"])
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_after_the_end_changes_nothing(body, number):
    code = (
        f"import atexit, os, signal\natexit.register(lambda: os.kill(os.getpid(), signal.{number}))\n"
        f"signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from vae_mf.commands.main import shell\nwith shell():\n    {body}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == ((0, "") if body == "pass" else (130, GOES_ON))


def test_help_that_is_stopped_says_so_in_one_line():
    assert ended("vae_mf.commands.help", "train", "--help") == (130, GOES_ON)
    assert ended("vae_mf.commands.help", "--help") == (130, GOES_ON)


@pytest.mark.parametrize("said", ["", "the same command goes on where it was, in outputs/discover-x"])
def test_a_command_that_is_stopped_at_work_says_so_in_one_line(tmp_path, monkeypatch, capsys, said):
    def stopped(config):
        raise KeyboardInterrupt(*filter(None, [said]))

    monkeypatch.setattr("vae_mf.commands.figure.main", stopped)
    monkeypatch.setattr(sys, "argv", ["vae-mf", "figure", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == (f"stopped; {said}\n" if said else GOES_ON)


@pytest.mark.parametrize("handed_on", [False, True])
def test_a_command_that_is_terminated_at_work_ends_with_its_own_status(tmp_path, monkeypatch, capsys, handed_on):
    def terminated(config):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt as stop:
            if handed_on:
                raise KeyboardInterrupt("go on in outputs/x") from stop
            raise

    monkeypatch.setattr("vae_mf.commands.figure.main", terminated)
    monkeypatch.setattr(sys, "argv", ["vae-mf", "figure", str(tmp_path)])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert end.value.code == 143
    assert capsys.readouterr().err == ("stopped; go on in outputs/x\n" if handed_on else GOES_ON)


def test_a_figure_that_is_terminated_ends_its_stage(tmp_path, monkeypatch):
    (tmp_path / "python").write_text(
        f"#!/bin/sh\ntrap 'echo ended > {tmp_path}/stage; exit 143' TERM\nwhile true; do sleep .05; done\n"
    )
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    before = signal.signal(signal.SIGTERM, terminate)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        with pytest.raises(SystemExit) as end:
            run_stage(["train"])
    finally:
        signal.signal(signal.SIGTERM, before)
        timer.join()
    assert end.value.code == 143
    assert (tmp_path / "stage").exists()


def test_a_figure_whose_stage_is_stopped_ends_as_the_stage_did_and_says_nothing_more(tmp_path, monkeypatch, capsys):
    (tmp_path / "python").write_text("#!/bin/sh\nexit 130\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SystemExit) as end:
        run_stage(["train"])
    assert end.value.code == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]], ids=" ".join)
def test_output_that_nobody_reads_ends_a_command_silently(words):
    unread, output = os.pipe()
    os.close(unread)
    done = subprocess.run([sys.executable, "-m", "vae_mf", *words], stdout=output, stderr=subprocess.PIPE, text=True)
    os.close(output)
    assert (done.returncode, done.stderr) == (141, "")


def run_unread(words: list[str], errors: str) -> None:
    """Run a command whose output nobody reads in this process, with its errors in a file."""
    unread, output = os.pipe()
    os.close(unread)
    os.dup2(output, 1)
    os.dup2(os.open(errors, os.O_CREAT | os.O_WRONLY), 2)
    sys.argv = ["vae-mf", *words]
    main()


def test_a_configuration_that_nobody_reads_ends_a_command_silently(tmp_path):
    process = FORKS.Process(target=run_unread, args=(["train", "--cfg", "job"], f"{tmp_path}/errors"))
    process.start()
    process.join()
    assert (process.exitcode, (tmp_path / "errors").read_text()) == (141, "")


def test_every_command_runs_linear_algebra_on_one_thread_whatever_the_environment_says():
    """Two threads add up in another order: the last digits would be those of the machine."""
    code = "import sys; from vae_mf.commands.main import main; sys.argv = ['vae-mf', 'sample', '--help']; main()\n"
    code += "import numpy, scipy.linalg, threadpoolctl\n"
    code += "print(*(pool['num_threads'] for pool in threadpoolctl.threadpool_info()))"
    pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "3")
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | pools, capture_output=True, text=True)
    assert set(done.stdout.splitlines()[-1].split()) == {"1"}, done.stderr


def test_figures_wait_for_another_process_that_draws_them(tmp_path, monkeypatch, capsys):
    began = threading.Event()
    monkeypatch.setattr("vae_mf.commands.figure.drawn", lambda folder: {})
    monkeypatch.setattr("vae_mf.commands.figure.Terminal", lambda: SimpleNamespace(say=lambda said: began.set()))
    (tmp_path / "figures").mkdir()
    with only_one(tmp_path):
        drawing = threading.Thread(target=draw, args=(OmegaConf.create({"run": str(tmp_path)}),))
        drawing.start()
        assert began.wait(20)
        assert drawing.is_alive()
    drawing.join(20)
    assert not drawing.is_alive()


@pytest.mark.parametrize("size", [100, 6_000])
def test_a_figure_or_table_on_a_full_disk_is_named(tmp_path, size):
    """A PDF once ended in a traceback of matplotlib, and nothing said where the disk was full."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))"
    words = ["system=curie_weiss", "sampling=direct", "system.sites=8", "sampling.temperatures=[1.5]", "threads=1"]
    sizes = ["sampling.samples=12", "sampling.chains=12", "sampling.blocks=1", "seed=1"]
    sample = ["sample", *words, *sizes, f"store.path={tmp_path}/a.zarr", f"report={tmp_path}/report"]
    (whole,) = run_all([sample])
    (full,) = run_all([[*sample[:-1], f"report={tmp_path}/full"]], limit)
    assert (whole.code, full.code) == (0, 1), whole.err + full.err
    assert full.err.startswith("error: [Errno 27]"), full.err
    assert re.search(rf"{tmp_path}/full/\S+\.(csv|pdf)", full.err), full.err
