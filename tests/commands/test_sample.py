"""A request for samples that cannot be met is refused before a stage begins."""

from helpers.commands import paths, run_all

MISTAKES = {
    "sampling.temperatures=[1.0,-1.0]": "sampling.temperatures: expected a finite number > 0, got -1.0",
    "sampling.temperatures=[]": "sampling.temperatures: expected at least one and no duplicates, got []",
    "sampling.temperatures=[1.0,1.0]": "sampling.temperatures: expected at least one and no duplicates, got [1.0, 1.0]",
    "sampling.temperatures=[cold,hot]": "sampling.temperatures: expected a finite number > 0, got 'cold'",
    "sampling.temperatures=1.0": "sampling.temperatures: expected a list of numbers > 0, got 1.0",
    "sampling.swap_acceptance=0.3": "sampling.swap_acceptance: expected no such option, as it takes tempering=parallel",
    "sampling.opposite_starts=-3": "sampling.opposite_starts: expected an integer >= 0, got -3",
    "threads=0": "threads: expected an integer >= 1, got 0",
    "seed=-1": "seed: expected an integer >= 0, got -1",
}


def test_nothing_is_said_before_a_refusal_and_nothing_is_left(tmp_path):
    jobs = [["sample", option, *paths(tmp_path)] for option in MISTAKES]
    jobs += [["train", option, *paths(tmp_path)] for option in MISTAKES if option != "threads=0"]
    for (_, option, *_), result in zip(jobs, run_all(jobs), strict=True):
        assert (result.code, result.out) == (2, ""), option
        (line,) = result.err.splitlines()
        assert line.startswith(f"error: {MISTAKES[option]}"), line
    assert list(tmp_path.glob("*/*")) == []
