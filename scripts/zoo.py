"""The release of trained models: archives in docs/zoo, their cards in vae_mf/runs/zoo.json, the page docs/zoo.md.

python scripts/zoo.py                    trains what is not trained yet, packs all of it
python scripts/zoo.py hopfield retina_2  these alone; the others stay as they are

The retina is read from the data folder, or downloaded into it (`dataset=retina`).
"""

import argparse
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import OmegaConf

from vae_mf import TrainedModel, load
from vae_mf.files import SEAL, WEIGHTS, read_json, sha256, write_whole
from vae_mf.runs import zoo
from vae_mf.runs.folder import CONFIG, RECORD
from vae_mf.tables import METRICS, read_metrics

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "outputs" / "zoo"
RELEASE = ROOT / "docs" / "zoo"
CARDS = ROOT / "vae_mf" / "runs" / "zoo.json"
ROWS = 64
"""Configurations of a check."""
HEAD = """# Trained models

Models to look at before training one: weights in safetensors with their configuration, a card and metrics.

```python
import vae_mf

model = vae_mf.load("zoo:hopfield")
model.sample(temperature=0.8, count=1000)  # (1000, 256) int8 in {-1, +1}
```

A checkout of the project holds the archives (docs/zoo). Anywhere else `VAE_MF_ZOO` names a folder that holds them, or
the address of one; they are unpacked into the data folder. The checksum of each is pinned in the package, and on
opening a model it must give the configurations that lie beside it the log-likelihoods of the release, within a
thousandth. `python scripts/zoo.py` trains and packs them.

Of metrics with a value for each temperature the largest is given; in nats.

| name | what | trained by | metrics | size |
|---|---|---|---|---|
"""
EPOCH = (2026, 1, 1, 0, 0, 0)
"""Time of the files in an archive, so that the same models make the same bytes."""


class Recipe(NamedTuple):
    """A model of the zoo: a sentence, the options that train it, and the metrics that its card shows."""

    about: str
    options: str
    metrics: tuple[str, ...]


THEORY = ("kl_per_temperature", "order_parameter_max_error", "energy_max_error", "test_log_likelihood")
PATTERNS = (*THEORY, "pattern_overlap_min", "coupling_relative_error")
MANY_PATTERNS = ("test_log_likelihood", "pattern_overlap_min", "pattern_overlap_mean", "coupling_relative_error")
RECORDING = ("test_loglik_per_word_iwae", "test_gain_over_independent", "test_gain_over_independent_error")
RECIPES = {
    "curie_weiss": Recipe("Curie-Weiss ferromagnet of 256 spins across T = 1", "experiment=curie_weiss_quick", THEORY),
    "hopfield": Recipe("Three patterns in 256 spins across T = 1", "experiment=hopfield_quick", PATTERNS),
    "hopfield_24": Recipe("24 patterns in 256 spins", "experiment=hopfield_load system.patterns=24", MANY_PATTERNS),
    "maier_saupe": Recipe("Nematic of Maier and Saupe across its transition", "experiment=maier_saupe_quick", THEORY),
    "ising2d": Recipe("Ising model in two dimensions, which must fail", "experiment=ising2d_quick", THEORY),
    "retina_2": Recipe(
        "40 cells of a retina (doi:10.15479/AT:ISTA:61), two variables",
        "experiment=retina dataset=retina dataset.variables=40 model.latents=2",
        RECORDING,
    ),
    "retina_4": Recipe(
        "40 cells of a retina (doi:10.15479/AT:ISTA:61), four variables",
        "experiment=retina dataset=retina dataset.variables=40 model.latents=4",
        RECORDING,
    ),
}


def main() -> None:
    """Train, pack and list the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"models to pack, of {', '.join(RECIPES)}; all without"
    )
    names = parser.parse_args().names or list(RECIPES)
    if unknown := sorted(set(names) - set(RECIPES)):
        parser.error(f"expected some of {', '.join(RECIPES)}, got {', '.join(unknown)}")
    cards = json.loads(CARDS.read_text(encoding="utf-8"))
    for name in names:
        cards[name] = packed(name, RECIPES[name])
        write_whole(CARDS, json.dumps(dict(sorted(cards.items())), indent=2) + "\n")
    write_whole(ROOT / "docs" / "zoo.md", page(cards))


def packed(name: str, recipe: Recipe) -> dict[str, Any]:
    """Train a model unless it is there, write its archive and return its card."""
    folder = RUNS / name
    command = ["train", *recipe.options.split(), f"run.folder={folder}"]
    subprocess.run([sys.executable, "-m", "vae_mf", *command], cwd=ROOT, check=True)
    metrics = read_metrics(folder)
    card = {
        "about": recipe.about,
        "command": f"vae-mf train {recipe.options}",
        "metrics": {key: metrics[key] for key in recipe.metrics},
    }
    inside = files(folder) | {"CARD.md": text_of(name, card).encode()}
    digests = "".join(f"{sha256(inside[file])}  {file}\n" for file in sorted(inside))
    content = archive(inside | {SEAL: digests.encode()})
    RELEASE.mkdir(parents=True, exist_ok=True)
    write_whole(RELEASE / f"{name}.zip", content)
    return {"sha256": sha256(content), **card}


def files(folder: Path) -> dict[str, bytes]:
    """Files of a run that a model is loaded from, with its check; places of files are those of any checkout."""
    config = OmegaConf.load(folder / CONFIG)
    text = OmegaConf.to_yaml(config).replace(config.paths.data, "data").replace(config.paths.outputs, "outputs")
    record = {name: value for name, value in read_json(folder / RECORD).items() if name != "machine"}
    kept = {name: (folder / name).read_bytes() for name in (WEIGHTS, METRICS)}
    return {CONFIG: text.encode(), RECORD: json.dumps(record, indent=2).encode(), **kept, zoo.CHECK: check(folder)}


def check(folder: Path) -> bytes:
    """Configurations that a model draws, and the log-likelihoods that it gives them."""
    model = load(folder, device="cpu")
    assert isinstance(model, TrainedModel)
    temperature = sorted(model.temperatures)[len(model.temperatures) // 2]
    drawn = model.sample(temperature, ROWS)
    likelihood = model.log_likelihood(drawn, temperature, zoo.DRAWS)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, configurations=drawn, temperature=temperature, log_likelihood=likelihood)
    return buffer.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    """Zip archive of files, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packing:
        for name, content in sorted(files.items()):
            packing.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def text_of(name: str, card: dict[str, Any]) -> str:
    """Card of a model in words."""
    metrics = "\n".join(f"- {key}: {shown(value)}" for key, value in card["metrics"].items())
    return f"""# {name}

{card["about"]}.

`{card["command"]}` trains it again; `vae_mf.load("zoo:{name}")` opens it and verifies its log-likelihoods.

{metrics}

Weights in safetensors; nothing in the archive runs. MIT licence.
"""


def shown(value: Any) -> str:
    """Metric to four digits, of several temperatures the largest."""
    if isinstance(value, dict):
        return f"at most {max(value.values()):.3g}"
    return f"{value:.4g}"


def page(cards: dict[str, dict[str, Any]]) -> str:
    """Page that lists the models."""
    rows = [
        f"| `zoo:{name}` | {card['about']} | `{card['command']}` | "
        + "; ".join(f"{key} {shown(value)}" for key, value in card["metrics"].items())
        + f" | {(RELEASE / f'{name}.zip').stat().st_size / 1e3:.0f} kB |"
        for name, card in cards.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
