"""Figures of verdicts: every panel that the tables call for is there, and no other."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.figures import in_one_line, words_of

from vae_mf.plotting.layout import panels_of
from vae_mf.plotting.paper import SYSTEMS, draw_decodings, draw_latent_variable, draw_systems
from vae_mf.plotting.total_correlation import CUTS
from vae_mf.plotting.verdict import draw_verdict
from vae_mf.tables import VERDICT, read_runs, write_tables

TEMPERATURES = np.array([0.8, 1.0, 1.2])


def per_temperature(**columns) -> pd.DataFrame:
    return pd.DataFrame({"temperature": TEMPERATURES, **columns})


def verdict_tables(**more: pd.DataFrame) -> dict[str, pd.DataFrame]:
    cuts = {f"{name}{suffix}": np.nan for name in CUTS for suffix in ("", "_error")} | {"half": 0.5}
    trained = {"train": 0.2, "test": 0.1, "test_error": 0.01, "decided": True}
    return {
        "conditional_correlation": per_temperature(identity=0.1, identity_error=0.01, floor=0.05, **trained),
        "total_correlation": pd.concat(
            [per_temperature(source=s, exact=exact, **trained) for s, exact in (("samples", 1.0), ("model", np.nan))]
        ),
        "capacity": per_temperature(rate=1.0, rate_error=0.1, field=1.5, satisfied=True, **cuts),
        "surgery": per_temperature(excess_kl=0.01, excess_kl_error=0.01, bracket=0.01),
        **more,
    }  # fmt: skip


def residual_tables(side: int) -> dict[str, pd.DataFrame]:
    first, second = np.triu_indices(side**2, 1)
    fields = pd.DataFrame({"site": np.arange(side**2), "coefficient": 0.0, "significance": 0.0})
    pairs = pd.DataFrame(
        {"first": first, "second": second, "coefficient": 0.1, "significance": 2.0, "temperature": 1.0}
    )
    return {"residual_fields": fields, "residual_pairs": pairs}


def displacement_table(side: int) -> pd.DataFrame:
    dy, dx = (np.stack(np.divmod(np.arange(1, side * side), side)) + side // 2) % side - side // 2
    return pd.DataFrame({"dy": dy, "dx": dx, "coefficient": 0.1, "significance": 3.0, "temperature": 1.0})


def decoded_tables(name: str) -> dict[str, pd.DataFrame]:
    overlaps = [
        {"route": route, "recovered": row, "true": column, "overlap": float(row == column)}
        for route in ("vae", "classical")
        for row in range(2)
        for column in range(2)
    ]
    scores = [
        {"regressor": name, "target": target, "temperature": "pooled", "component": k, "r2": 0.98, "ceiling": 0.99}
        for name in ("mlp", "linear")
        for target in ("expected", "sampled")
        for k in range(1, 6)
    ]
    return {
        "hopfield": {"overlaps": pd.DataFrame(overlaps)},
        "curie_weiss": {"latent_potential": per_temperature(beta_j=1 / TEMPERATURES, exact=1 / TEMPERATURES)},
        "maier_saupe": {"nematic": pd.DataFrame(scores)},
    }.get(name, {})


def y_labels(figure) -> list[str]:
    return [in_one_line(ax.get_ylabel()) for ax in figure.axes]


def test_a_table_that_nothing_is_known_of_has_no_panel():
    tables = verdict_tables()
    whole = len(draw_verdict(tables).axes)
    tables["conditional_correlation"][["train", "test", "test_error", "identity", "identity_error"]] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a legend without a line
        figure = draw_verdict(tables)
    assert len(figure.axes) == whole - 1
    assert not any(label.startswith("C(x|z)") for label in y_labels(figure))


@pytest.mark.parametrize(
    ("name", "label"),
    [("hopfield", "recovered pattern"), ("curie_weiss", "βJ from the latent potential"), ("maier_saupe", "1 − R²")],
)
def test_what_was_decoded_has_a_panel(name, label):
    figure = draw_verdict(verdict_tables(**residual_tables(4), **decoded_tables(name)))
    assert any(in_one_line(found).startswith(label) for found in y_labels(figure))
    assert "site j" in y_labels(figure)


def test_a_lattice_shows_its_structure_by_displacement():
    tables = verdict_tables(**residual_tables(4), residual_displacements=displacement_table(4))
    labels = y_labels(draw_verdict(tables))
    assert any("displacement" in label for label in labels)
    assert "site j" not in labels


def latent_density() -> pd.DataFrame:
    z = np.linspace(-2, 2, 21)
    laws = {"prior": np.exp(-(z**2)), "aggregated": np.exp(-(z**2)), "exact": np.nan, "mean_field": np.tanh(z)}
    return pd.concat([pd.DataFrame({"temperature": t, "z": z, **laws}) for t in TEMPERATURES], ignore_index=True)


def test_all_that_was_read_off_a_linear_decoder_is_drawn():
    axis = {"axis": 1, "tilt": np.linspace(-1, 1, 5), "cumulant": 0.5, "error": 0.0, "gaussian": 0.4}
    more = {"latent_density": latent_density(), "cumulants": pd.DataFrame(axis)}
    labels = y_labels(draw_verdict(verdict_tables(**more, **decoded_tables("curie_weiss"))))
    assert labels[4:] == ["βJ from the latent potential", "density / maximum", "cumulants K(u) [nats]"]


def test_a_single_temperature_is_a_balance_of_nats():
    tables = {name: table[table.temperature == 1.0] for name, table in verdict_tables().items()}
    left = {"correlation": 0.7, "correlation_error": 0.1}
    tables["conditional_correlation"] = tables["conditional_correlation"].assign(**left)
    carried = {"information": 0.5, "information_error": 0.1, "excess_kl": 0.01, "excess_kl_error": 0.01}
    tables["capacity"] = tables["capacity"].assign(**carried)
    (ax,) = draw_verdict(tables).axes
    names = [text.get_text() for text in ax.get_yticklabels()]
    widths = dict(zip(names, [bar.get_width() for bar in ax.patches], strict=True))
    assert widths["C(x|z), left unexplained"] == 0.7
    assert widths["rate R"] == 1.0
    assert len(widths) == 6


def test_a_verdict_without_a_critic_has_no_panel_of_total_correlations():
    tables = verdict_tables()
    unread = dict.fromkeys(("train", "test", "test_error", "floor"), np.nan) | {"decided": False}
    tables["conditional_correlation"] = tables["conditional_correlation"].assign(**unread)
    del tables["total_correlation"]
    figure = draw_verdict(tables)
    assert len(figure.axes) == 3
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["exact identity"]
    assert figure.axes[0].get_title() == ""


def test_figure_2_shows_the_architecture_and_the_latent_at_three_temperatures():
    spins = [(s, t, i, 1) for s in ("samples", "model") for t in TEMPERATURES for i in range(16)]
    shown = pd.DataFrame(spins, columns=["source", "temperature", "site", "value"])
    tables = {"latent_density": latent_density(), "configurations": shown, "observables": observables()}
    figure = draw_latent_variable({f"curie_weiss_{name}": table for name, table in tables.items()})
    titles = [ax.get_title(loc="left") for ax in panels_of(figure)]
    assert titles[4:] == ["added: T = 0.8", "added: T = 1", "added: T = 1.2", "added: mean field"]
    samples, parts, prior, binder = panels_of(figure)[:4]
    assert [label.get_text() for label in samples.get_xticklabels()] == ["0.8", "1", "1.2"]
    assert any("decoder" in text for text in words_of(parts))
    assert prior.get_ylabel() == "temperature T"
    assert binder.get_ylabel() == "Binder cumulant U₄"


def test_without_residuals_or_decodings_there_are_no_such_panels():
    assert len(draw_verdict(verdict_tables()).axes) == 4


def observables() -> pd.DataFrame:
    rows = [
        {"source": source, "temperature": t, "observable": name, "value": 0.5, "error": 0.1, "order_name": "order m"}
        for source in ("samples", "model")
        for name in ("order_parameter", "susceptibility", "binder")
        for t in TEMPERATURES
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def runs(tmp_path):
    """Tables of all four systems on disk, as runs and their verdicts leave them."""
    for name in SYSTEMS:
        more = {} if name == "maier_saupe" else residual_tables(4)
        if name == "ising2d":
            more["residual_displacements"] = displacement_table(4)
        decoded = decoded_tables(name)
        own = {"overlaps": decoded["overlaps"]} if "overlaps" in decoded else {}
        write_tables(tmp_path / name, {"observables": observables(), **own})
        write_tables(tmp_path / name / VERDICT, verdict_tables(**more, **decoded))
    return read_runs(str(tmp_path), list(SYSTEMS))


def test_figure_3_has_a_row_per_system(runs):
    figure = draw_systems(runs)
    panels = panels_of(figure)
    assert [ax.get_title(loc="left") for ax in panels[:12:3]] == list(SYSTEMS.values())
    assert [in_one_line(ax.get_ylabel()).split(" [")[0] for ax in panels[:3]] == [
        "order parameter ⟨|m|⟩", "susceptibility χ", "C(x|z)",
    ]  # fmt: skip
    # In the paper's order a to l, then what is added; directors have no map of what is left.
    assert [ax.get_title(loc="left").split("\n")[0] for ax in panels[12:]] == [
        f"added: {name}" for name in SYSTEMS.values()
    ]
    assert [len(ax.child_axes) for ax in panels[2:12:3]] == [1, 1, 1, 0]
    assert sum("C(x|z)" in label for label in y_labels(figure)) == 4


def test_figure_4_shows_patterns_coupling_and_tensor(runs):
    figure = draw_decodings(runs)
    labels = [in_one_line(ax.get_ylabel()) for ax in panels_of(figure)]
    assert labels[0] == "recovered pattern"
    assert labels[1].startswith("1 − R²")
    assert labels[2:] == ["recovered pattern", "βJ from the latent potential"]
    assert [ax.get_title(loc="left").split(":")[0] for ax in panels_of(figure)] == ["", "", "added", "added"]
