"""Reports of a verdict, for a person and as JSON for a program."""

import json
from typing import Any

import numpy as np
import pandas as pd

from vae_mf.tables import finite
from vae_mf.texts import in_markdown
from vae_mf.verdict.assessment import Assessment

ANSWERS = {
    "found": "A mean-field description was found: given the latent variables, the sites are independent.",
    "not found": "No mean-field description was found: the latent variables leave correlations unexplained.",
    "not decided": "Whether there is a mean-field description is not decided.",
}
HOLDS = {True: "yes", False: "no", None: "open"}
CORRELATION = {
    "temperature": "T",
    "identity": "C(x|z), identity",
    "identity_error": "±",
    "test": "critic",
    "test_error": "±",
    "divergence": "beyond the model's own rows",
    "divergence_error": "±",
    "floor": "critic may miss of pairs",
    "correlation_per_site": "C per site",
}
CONTROLS = {"control": "rows", "value": "information of pairs", "error": "±", "overstated": "taken off"}
SENSITIVITY = {
    "order": "order",
    "temperature": "T",
    "planted": "planted",
    "seen": "seen",
    "error": "± of the difference",
    "floor": "may be missed",
}
CAPACITY = {
    "temperature": "T",
    "rate": "rate R",
    "useful_rate": "I_q(x; z)",
    "excess_kl": "excess KL",
    "information": "I of the worst cut",
    "cut": "cut",
    "field": "upper bound on any cut",
    "satisfied": "R ≥ I",
}


def as_markdown(name: str, assessment: Assessment) -> str:
    """Return the report of a run: the answer, its evidence, what is missing, and the numbers per temperature."""
    verdict, tables = assessment.verdict, assessment.tables
    evidence = verdict.evidence.assign(holds=[HOLDS[value] for value in verdict.evidence.holds])
    parts = [
        f"# {in_markdown(name)}: {verdict.answer}",
        ANSWERS[verdict.answer],
        "## Evidence, at the temperature that speaks against it most",
        pipe_table(evidence, dict(zip(evidence, evidence, strict=True))),
        "\n".join(f"- {in_markdown(remark.text)}" for remark in verdict.remarks),
        "## What the latent variables leave unexplained, in nats per configuration",
        pipe_table(tables["conditional_correlation"], CORRELATION),
        "## What they carry, and what they must, in nats per configuration",
        pipe_table(tables["capacity"], CAPACITY),
    ]
    if "controls" in tables:
        parts += ["## Control: what rows show that have nothing to show", pipe_table(tables["controls"], CONTROLS)]
    if "sensitivity" in tables:
        title = "## Products of neighbouring sites that the critic was shown, in nats; a dash where it is blind"
        parts += [title, pipe_table(tables["sensitivity"], SENSITIVITY)]
    for title, table in decoded_tables(tables).items():
        parts += [f"## {in_markdown(title)}", pipe_table(table, dict(zip(table, table, strict=True)))]
    return "\n\n".join(filter(None, parts)) + "\n"


def decoded_tables(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables of what was decoded from the model, by title."""
    found = {}
    if "latent_potential" in tables:
        found["Decoded: β J from the latent potential"] = tables["latent_potential"]
    if "nematic" in tables:
        table = tables["nematic"]
        pooled = table[(table.temperature == "pooled") & (table.target == "expected")]
        found["Decoded: R² of the nematic tensor E[A|x], all temperatures"] = pooled.pivot(
            index="regressor", columns="component", values="r2"
        ).reset_index()
    if "overlaps" in tables:
        table = tables["overlaps"]
        matched = table[table.recovered == table.true].pivot(index="route", columns="true", values="overlap")
        found["Decoded: overlaps of recovered and stored patterns"] = matched.reset_index()
    if "residual_summary" in tables:
        found["Structure of what is left unexplained (ridge regression of ln r)"] = tables["residual_summary"]
    return found


def pipe_table(table: pd.DataFrame, columns: dict[Any, str]) -> str:
    """Return some columns of a table in Markdown, by the names given.

    >>> print(pipe_table(pd.DataFrame({"temperature": [0.5]}), {"temperature": "T"}))
    | T |
    | --- |
    | 0.5 |
    """
    lines = [[in_markdown(str(title)) for title in columns.values()], ["---"] * len(columns)]
    lines += [[in_markdown(entry(row[name])) for name in columns] for _, row in table.iterrows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def entry(value: Any) -> str:
    """Return the text of an entry of a table, a dash where it is not known.

    >>> entry(0.123456), entry(True), entry(None), entry("cut")
    ('0.1235', 'yes', '–', 'cut')
    """
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return "–"
    return {True: "yes", False: "no"}[bool(value)] if isinstance(value, bool | np.bool_) else f"{value:.4g}"


def as_json(assessment: Assessment) -> str:
    """Return answer, evidence and remarks."""
    verdict = assessment.verdict
    evidence = [{str(key): plain(value) for key, value in row.items()} for _, row in verdict.evidence.iterrows()]
    content = {
        "mean_field_description": verdict.answer,
        "evidence": evidence,
        "remarks": [remark.text for remark in verdict.remarks],
    }
    return json.dumps(finite(content), indent=2, ensure_ascii=False) + "\n"


def plain(value: Any) -> Any:
    """Return a NumPy scalar as a Python one.

    >>> plain(np.float64(0.5))
    0.5
    """
    return value.item() if isinstance(value, np.generic) else value
