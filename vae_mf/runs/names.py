"""Names of configurable classes, functions and options, which outlive every move of the code.

A class is called by its room and its own name, ``vae_mf.models.SplinePrior``, in whichever file of the room it stands.
Digests hash the names under which classes and options were first published: runs and stores are found again, wherever
these move. Configurations of old run folders are read in the names of today.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

TARGET = "_target_"
PACKAGE = "vae_mf"
PUBLISHED = (
    ("vae_mf.evaluation.total_correlation", "vae_mf.analysis", "CriticSettings"),
    ("vae_mf.datasets.fetching", "vae_mf.datasets", "fetch read_mnist"),
    ("vae_mf.datasets.recordings", "vae_mf.datasets", "read_recording"),
    ("vae_mf.rivals.independent", "vae_mf.density_models", "Independent"),
    ("vae_mf.rivals.k_pairwise", "vae_mf.density_models", "KPairwise"),
    ("vae_mf.rivals.mixture", "vae_mf.density_models", "BernoulliMixture"),
    ("vae_mf.rivals.pairwise", "vae_mf.density_models", "PairwiseIsing"),
    ("vae_mf.rivals.restricted_boltzmann", "vae_mf.density_models", "RestrictedBoltzmann"),
    ("vae_mf.inverse_ising.boltzmann", "vae_mf.inverse_ising", "BoltzmannLearning"),
    ("vae_mf.inverse_ising.cluster_expansion", "vae_mf.inverse_ising", "AdaptiveClusterExpansion"),
    ("vae_mf.inverse_ising.erasure", "vae_mf.inverse_ising", "ErasureMachine"),
    ("vae_mf.inverse_ising.interaction_screening", "vae_mf.inverse_ising", "InteractionScreening"),
    ("vae_mf.inverse_ising.low_temperature", "vae_mf.inverse_ising", "LowTemperature"),
    (
        "vae_mf.inverse_ising.mean_field",
        "vae_mf.inverse_ising",
        "Bethe IndependentPair NaiveMeanField SessakMonasson TAP",
    ),
    ("vae_mf.inverse_ising.probability_flow", "vae_mf.inverse_ising", "ProbabilityFlow"),
    ("vae_mf.inverse_ising.pseudolikelihood", "vae_mf.inverse_ising", "DecimatedPseudoLikelihood PseudoLikelihood"),
    ("vae_mf.inverse_ising.susceptibility_propagation", "vae_mf.inverse_ising", "SusceptibilityPropagation"),
    ("vae_mf.models.autoregressive", "vae_mf.models", "AutoregressiveSplinePrior"),
    ("vae_mf.models.critic", "vae_mf.models", "DenseCritic LatticeCritic"),
    ("vae_mf.models.decoders", "vae_mf.models", "CNNDecoder LinearDecoder MLPDecoder SharedDecoder"),
    (
        "vae_mf.models.directors",
        "vae_mf.models",
        "BinghamCNNDecoder DirectorCNNEncoder DirectorLinearEncoder DirectorMLPEncoder SharedBinghamDecoder",
    ),
    ("vae_mf.models.encoders", "vae_mf.models", "CNNEncoder LinearEncoder MLPEncoder"),
    ("vae_mf.models.mixture", "vae_mf.models", "MixturePrior"),
    ("vae_mf.models.priors", "vae_mf.models", "GaussianPrior SplinePrior"),
    ("vae_mf.samplers.auto", "vae_mf.samplers", "automatic_sampler"),
    ("vae_mf.samplers.curie_weiss", "vae_mf.samplers", "CurieWeissDirect"),
    ("vae_mf.samplers.hopfield", "vae_mf.samplers", "HopfieldGibbs"),
    ("vae_mf.samplers.ising2d", "vae_mf.samplers", "Ising2DAuto"),
    ("vae_mf.samplers.maier_saupe", "vae_mf.samplers", "MaierSaupeDirect MaierSaupeGibbs"),
    ("vae_mf.samplers.multispin", "vae_mf.samplers", "MultispinMetropolis"),
    ("vae_mf.samplers.plan", "vae_mf.samplers", "Sampling"),
    ("vae_mf.samplers.spin_glass", "vae_mf.samplers", "IsingMetropolis"),
    ("vae_mf.samplers.tempering", "vae_mf.samplers", "ParallelTempering"),
    ("vae_mf.samplers.wolff", "vae_mf.samplers", "Wolff"),
    ("vae_mf.systems.curie_weiss", "vae_mf.systems", "CurieWeiss"),
    ("vae_mf.systems.hopfield", "vae_mf.systems", "Hopfield Hopfield.random"),
    ("vae_mf.systems.ising2d", "vae_mf.systems", "Ising2D"),
    ("vae_mf.systems.maier_saupe", "vae_mf.systems", "MaierSaupe"),
    ("vae_mf.systems.spin_glass", "vae_mf.systems", "EdwardsAnderson.random Ising SherringtonKirkpatrick.random"),
    ("vae_mf.training.critic_module", "vae_mf.training", "fit_critic"),
    ("vae_mf.training.recipe", "vae_mf.training", "Recipe"),
    ("vae_mf.training.vae_module", "vae_mf.training", "VAEModule"),
    ("vae_mf.evaluation.assessment", "vae_mf.verdict", "AssessmentSettings"),
    ("vae_mf.evaluation.settings", "vae_mf.verdict", "EvaluationSettings"),
)
"""Module in which version 0.1 published classes and functions, their room of today, and their names."""
RENAMED = {"vae_mf.datasets.split_rows": "vae_mf.datasets.recordings.split_words"}
"""First names of those that are called otherwise today."""
FIRST_NAMES = {f"{room}.{name}": f"{module}.{name}" for module, room, names in PUBLISHED for name in names.split()}
FIRST_NAMES |= RENAMED
"""Name under which each was first published, by its public name."""
PRESENT_NAMES = {first: public for public, first in FIRST_NAMES.items()}
MOVED: tuple[tuple[str, str], ...] = (
    ("dataset.variables", "dataset.cells"),
    ("dataset.read.variables", "dataset.read.cells"),
    ("dataset.array", "dataset.variable"),
    ("dataset.read.array", "dataset.read.variable"),
    ("evaluation.word_variables", "evaluation.word_cells"),
    ("sampling.opposite_starts", "sampling.witnesses"),
)
"""Dotted path of an option today and its path in version 0.1, one line for each of them; groups may move as a whole.

An option that version 0.1 had twice has two lines; of these the last is read.
"""
ADDED: tuple[tuple[str, Any], ...] = (("callbacks", {}), ("evaluation.blocks", 20), ("training.captured", "auto"))
"""Options that version 0.1 did not have, and the value with which results are as they were.

With this value an option does not count in a digest, and with it old configurations are read.
"""

DEFAULTED: tuple[tuple[str, Any], ...] = (("system.boundary", "periodic"), ("system.positive", 0.5))
"""Options that systems were given later: with these values, their defaults, they do not count in a digest."""

EVALUATION = "vae_mf.verdict.EvaluationSettings"
"""Settings of every evaluation in version 0.1, which had those of equilibrium and of recordings in one."""
EQUILIBRIUM, RECORDING = "vae_mf.verdict.EquilibriumSettings", "vae_mf.verdict.RecordingSettings"
UNUSED: dict[str, dict[str, Any]] = {
    EQUILIBRIUM: {"word_variables": 10, "word_groups": 3, "triplets": 5000, "blocks": 20},
    RECORDING: {"restarts": 5, "pattern_temperature": None, "tolerable_kl": 0.4},
}
"""Options of the settings of version 0.1 that each kind of evaluation did not use, and their values, which count."""


def public_name(target: str) -> str:
    """Return a target by its room and its own name; targets outside this package, or of no room, as they are.

    >>> public_name("vae_mf.systems.hopfield.Hopfield.random"), public_name("vae_mf.datasets.recordings.read_recording")
    ('vae_mf.systems.Hopfield.random', 'vae_mf.datasets.read_recording')
    >>> public_name("numpy.load")
    'numpy.load'
    """
    parts = target.split(".")
    if parts[0] != PACKAGE or len(parts) < 3:
        return target
    own = next((place for place, part in enumerate(parts) if part[0].isupper()), len(parts) - 1)
    return ".".join([*parts[:2], *parts[max(own, 2) :]])


def first_name(target: str) -> str:
    """Return the name under which a target was first published.

    >>> first_name("vae_mf.models.MixturePrior")
    'vae_mf.models.mixture.MixturePrior'
    """
    public = target if target in PRESENT_NAMES else public_name(target)
    return FIRST_NAMES.get(public, public)


def present_name(target: str) -> str:
    """Return the public name today of a target from a configuration of any version.

    >>> present_name("vae_mf.evaluation.settings.EvaluationSettings")
    'vae_mf.verdict.EvaluationSettings'
    """
    return PRESENT_NAMES.get(target, target)


def first_paths(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration in plain containers with every option where version 0.1 had it."""
    first = moved(with_one_evaluation(config), MOVED)
    for path, neutral in (*ADDED, *DEFAULTED):
        if found(first, path) == [neutral]:
            pop(first, path)
    return first


def present_names(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration that any version wrote, in plain containers, by the names of today."""
    present = moved(config, ((first, today) for today, first in MOVED))
    for path, neutral in ADDED:
        group, _, key = path.rpartition(".")
        for parent in found(present, group):
            parent.setdefault(key, deepcopy(neutral))
    return with_own_evaluation(renamed(present, present_name))


def with_one_evaluation(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with the settings of its evaluation as version 0.1 had them."""
    node = config.get("evaluation")
    if not isinstance(node, dict) or node.get(TARGET) not in UNUSED:
        return config
    return config | {"evaluation": UNUSED[node[TARGET]] | node | {TARGET: EVALUATION}}


def with_own_evaluation(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with no settings but those of the evaluation of its kind of data.

    >>> node = {"_target_": "vae_mf.verdict.EvaluationSettings", "restarts": 5, "triplets": 5000}
    >>> with_own_evaluation({"system": {}, "evaluation": node})["evaluation"]
    {'_target_': 'vae_mf.verdict.EquilibriumSettings', 'restarts': 5}
    """
    node = config.get("evaluation")
    if not isinstance(node, dict) or node.get(TARGET) not in (EVALUATION, *UNUSED):
        return config
    of_system = EQUILIBRIUM if config.get("system") is not None else RECORDING
    target = of_system if node[TARGET] == EVALUATION else node[TARGET]
    kept = {name: value for name, value in node.items() if name not in UNUSED[target]}
    return config | {"evaluation": kept | {TARGET: target}}


def renamed(node: Any, rename: Callable[[str], str]) -> Any:
    """Return plain containers in which ``rename`` has been applied to every target.

    >>> renamed({"prior": [{"_target_": "a.B", "name": "a.B"}]}, str.upper)
    {'prior': [{'_target_': 'A.B', 'name': 'a.B'}]}
    """
    if isinstance(node, dict):
        return {
            key: rename(value) if key == TARGET and isinstance(value, str) else renamed(value, rename)
            for key, value in node.items()
        }
    return [renamed(item, rename) for item in node] if isinstance(node, list) else node


def moved(config: dict[str, Any], moves: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return a copy of a configuration in which options have moved, inner ones out of groups that move as well.

    >>> moved({"split": {"repeats": 3}}, [("split", "dataset.split"), ("split.repeats", "dataset.repeats")])
    {'dataset': {'split': {}, 'repeats': 3}}
    """
    moves = list(moves)
    config = deepcopy(config)
    inner_first = sorted({source for source, _ in moves}, key=lambda path: -path.count("."))
    values = {source: pop(config, source) for source in inner_first}
    for source, place in sorted(moves, key=lambda move: move[1].count(".")):
        for value in values[source]:
            put(config, place, value)
    return config


def put(config: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, making the groups that it lies in.

    >>> config = {"seed": 1}
    >>> put(config, "system.sites", 64)
    >>> config
    {'seed': 1, 'system': {'sites': 64}}
    """
    *groups, key = path.split(".")
    for group in groups:
        config = config.setdefault(group, {})
    config[key] = value


def found(config: Any, path: str) -> list[Any]:
    """Return the value at a dotted path as a list of one, an empty list where there is none; "" is the whole.

    >>> found({"system": {"sites": None}}, "system.sites"), found({"system": {}}, "system.sites")
    ([None], [])
    """
    for key in filter(None, path.split(".")):
        if not isinstance(config, dict) or key not in config:
            return []
        config = config[key]
    return [config]


def pop(config: dict[str, Any], path: str) -> list[Any]:
    """Take the value at a dotted path out, as `found` returns it."""
    group, _, key = path.rpartition(".")
    return [parent.pop(key) for parent in found(config, group) if isinstance(parent, dict) and key in parent]
