"""Any name passes through every medium: nothing acts, and the text is there to be read."""

import csv
import io
import json
import unicodedata
import warnings

import matplotlib.mathtext
import pandas as pd
import pytest
from helpers.hostile import NAMES, TEXTS, Page, without_isolates
from hypothesis import example, given, settings
from markdown_it import MarkdownIt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.table import Table

from vae_mf.plotting.style import house_style, in_figure
from vae_mf.runs.terminal import Terminal
from vae_mf.tables import TABLES, read_tables, write_metrics, write_tables
from vae_mf.texts import ISOLATE, POP, code_in_html, in_html, in_markdown, isolated, on_terminal, shortened, visible
from vae_mf.verdict.report import pipe_table

ACTING = ("Cc", "Zl", "Zp", "Cs")


def examples(test):
    for name in NAMES:
        test = example(name)(test)
    return given(TEXTS)(test)


def printed(*things) -> str:
    console = Terminal(file=io.StringIO(), width=1000, color_system=None)
    console.print(*things, soft_wrap=True)
    return console.file.getvalue()


@examples
def test_a_terminal_shows_a_text_on_one_line_and_obeys_nothing_in_it(name):
    *shown, end = printed(name)
    assert end == "\n"
    assert "".join(shown) == on_terminal(name)
    assert not [letter for letter in shown if unicodedata.category(letter) in ACTING]
    assert without_isolates("".join(shown)) == visible(name)


@examples
def test_words_from_right_to_left_turn_nothing_that_follows_them(name):
    depth = 0
    for letter in isolated(visible(name)):
        depth += (letter == ISOLATE) - (letter == POP)
        assert depth in (0, 1)
        kind = unicodedata.bidirectional(letter)
        assert depth == (kind in ("R", "AL")) or kind not in ("L", "R", "AL")
    assert depth == 0


@pytest.mark.parametrize("place", ["title", "entry", "heading", "caption"])
def test_brackets_in_a_table_of_the_terminal_are_no_markup(place):
    name = "[/b] [bold]a[/bold] :smile:"
    table = Table(name if place == "heading" else "h", title=name if place == "title" else None)
    table.caption = name if place == "caption" else None
    table.add_row(name if place == "entry" else "x" * 30)
    assert name in printed(table)


def test_a_path_stands_as_it_is_to_be_copied():
    console = Terminal(file=io.StringIO(), width=20, color_system=None)
    console.place("report", "/tmp/out [v2]/[/b] שלום/report.html")
    assert console.file.getvalue() == "report: /tmp/out [v2]/[/b] שלום/report.html\n"


def test_bytes_that_the_locale_could_not_decode_are_utf_8_or_escapes():
    assert visible("gr\udcc3\udcb6\udcc3\udc9fe") == "größe"
    assert visible("a\udcff\ud800") == r"a\udcff\ud800"
    assert in_html("a\udcff").encode() == rb"a\udcff"


@examples
def test_html_holds_the_text_and_no_tag(name):
    for document in (f"<p>{in_html(name)}</p>", f'<p title="{in_html(name)}">{in_html(name)}</p>'):
        page = Page(document)
        assert page.tags == ["p"]
        assert without_isolates(page.text) == visible(name)


@examples
def test_code_in_html_keeps_lines_and_tabs(name):
    page = Page(f"<pre>{code_in_html(name)}</pre>")
    assert page.tags == ["pre"]
    kept = [visible(part) for line in name.split("\n") for part in line.split("\t")]
    assert page.text.replace("\n", "\t").split("\t") == kept


@examples
def test_an_entry_of_a_markdown_table_is_the_text(name):
    text = pipe_table(pd.DataFrame({"name": [f"m{name}m"], "n": [1]}), {"name": f"m{name}m", "n": "n"})
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = [token.children for token in reader.parse(text) if token.type == "inline"]
    assert len(found) == 4
    for children in (found[0], found[2]):
        assert {child.type for child in children} <= {"text", "text_special"}
        assert without_isolates("".join(child.content for child in children)) == visible(f"m{name}m")


def test_a_heading_and_a_remark_of_markdown_hold_a_text():
    text = in_markdown("#[a](b)\n- c ![d](e) <b> &amp; ~~f~~")
    assert "<" not in MarkdownIt("commonmark", {"html": True}).enable("strikethrough").renderInline(text)


@settings(max_examples=50)
@given(TEXTS.filter(str.strip), TEXTS.filter(str.strip))
def test_tables_hold_any_text_and_spreadsheets_execute_none(tmp_path_factory, first, second):
    folder = tmp_path_factory.mktemp("tables")
    # A column of other texts beside it: numbers alone would be read as numbers.
    table = pd.DataFrame({"a": "text", "variable": [*NAMES, first, second], f"_{first}": "text"})
    write_tables(folder, {"t": table})
    pd.testing.assert_frame_equal(read_tables(folder)["t"], table, check_dtype=False)
    with (folder / TABLES / "t.csv").open(encoding="utf-8", newline="") as file:
        lines = file.read()
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter):
            assert not [entry for entry in row if entry.startswith(tuple("=+-@＝＋－＠"))]


@examples
def test_json_holds_the_text(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("metrics")
    write_metrics(folder, {name: name})
    assert json.loads((folder / "metrics.json").read_bytes()) == {name: name}


@pytest.fixture(scope="module")
def formulas():
    """Everything that matplotlib reads as a formula while a figure is drawn."""
    read = []
    parse = matplotlib.mathtext.MathTextParser.parse
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matplotlib.mathtext.MathTextParser, "parse", lambda *a, **k: read.append(a[1]) or parse(*a, **k))
        yield read


@settings(max_examples=50, deadline=None)
@examples
def test_a_figure_draws_the_text_and_reads_no_formula_in_it(formulas, name):
    with house_style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure(figsize=(2, 1))
        FigureCanvasAgg(figure)
        figure.text(0, 0, in_figure(name))
        figure.legend([Line2D([], [])], [in_figure(name)])
        figure.canvas.draw()
    assert not formulas
    figure.text(0, 0.5, f"$z_1$ {in_figure(name)}")
    figure.canvas.draw()
    assert formulas.pop().startswith("$z_1$")
    formulas.clear()


def test_names_of_a_figure_are_short_and_tell_variables_apart():
    names = [in_figure(f"{'x' * 300}{number}", 16) for number in range(3)]
    assert len(set(names)) == 3
    assert max(map(len, names)) == 16
    assert shortened("x" * 16, 16) == "x" * 16
