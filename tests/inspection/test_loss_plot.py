"""The picture of a run: its axes and what is drawn in them, its file in each format."""

import json
import sys
from itertools import combinations

import numpy as np
import pytest
from factories import history, make_checkpoint, one_line_error, save_checkpoint
from matplotlib.image import imread

from charrnn_cli.errors import ExitCode, UsageError, WriteError
from charrnn_cli.inspection.facts import inspect
from charrnn_cli.inspection.loss_plot import curves, draw_curves

pytestmark = pytest.mark.slow  # matplotlib takes a second to import

BASELINES = {"uniform": 4.0, "unigram": 3.0, "five_gram": 1.6, "counted": 99}


@pytest.fixture
def facts(tmp_path):
    """The facts of a run with four evaluations, the third of them the best."""
    path = save_checkpoint(tmp_path / "mine" / "best.safetensors", make_checkpoint())
    return inspect(path) | {
        "history": history((3.0, 2.8), (2.0, 2.1), (1.5, 1.9), (1.0, 2.0)),
        "best_val_loss": 1.9,
        "best_step": 30,
        "marks": BASELINES,
    }


def lines(axes):
    """The lines in some axes, by their labels."""
    return {line.get_label(): line for line in axes.get_lines()}


def test_both_losses_are_drawn_over_the_steps(facts):
    losses = lines(curves(facts).axes[0])
    assert losses["training"].get_xydata().tolist() == [[10, 3.0], [20, 2.0], [30, 1.5], [40, 1.0]]
    assert losses["held-out"].get_xydata().tolist() == [[10, 2.8], [20, 2.1], [30, 1.9], [40, 2.0]]


def test_the_best_is_marked_and_named(facts):
    best = lines(curves(facts).axes[0])["best 1.900 (2.741 bits/char)"]
    assert best.get_xydata().tolist() == [[30, 1.9]]


def test_the_learning_rate_is_below_over_the_same_steps(facts):
    losses, rates = curves(facts).axes
    assert rates.get_lines()[0].get_xydata().tolist() == [[n, 0.1] for n in (10, 20, 30, 40)]
    assert rates.get_xlim() == losses.get_xlim()


def test_the_axes_say_what_they_are_in(facts):
    losses, rates = curves(facts).axes
    assert losses.get_ylabel() == "loss, nats per character"
    assert losses.child_axes[0].get_ylabel() == "bits per character"
    assert (rates.get_xlabel(), rates.get_ylabel()) == ("step", "learning rate")
    assert losses.get_title("left").startswith("mine: gru 2 x 4, ")


def test_the_baselines_are_horizontal_lines_with_their_names(facts):
    axes = curves(facts).axes[0]
    heights = {line.get_ydata()[0] for name, line in lines(axes).items() if name[0] == "_"}
    assert heights == {4.0, 3.0, 1.6}
    named = [text.get_text() for text in axes.texts]
    assert named == ["uniform 4.000", "unigram 3.000", "5-gram 1.600"]


def boxes(figure):
    """Where the names of the baselines are drawn, in points of the picture."""
    figure.draw_without_rendering()
    return [text.get_window_extent() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    "losses",
    [
        [(3.1, 2.8), (2.9, 2.1), (1.65, 1.9), (1.6, 1.61)],  # crosses unigram, ends at the 5-gram
        [(4.0, 4.0), (3.9, 3.9), (3.5, 3.7), (3.05, 3.0)],  # begins at uniform, ends at unigram
    ],
)
def test_a_baselines_name_does_not_sit_on_a_curve(facts, losses):
    figure = curves(facts | {"history": history(*losses), "best_val_loss": None})
    axes = figure.axes[0]
    names = boxes(figure)
    for curve in (lines(axes)["training"], lines(axes)["held-out"]):
        steps = np.linspace(10, 40, 2000)
        points = axes.transData.transform(
            np.stack([steps, np.interp(steps, *curve.get_xydata().T)], axis=1)
        )
        assert not any(name.contains(*point) for name in names for point in points)
    assert not any(one.overlaps(other) for one, other in combinations(names, 2))


def test_the_legend_covers_nothing(facts):
    figure = curves(facts)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)


def test_an_old_file_without_baselines_is_drawn_without_them(facts):
    assert not curves(facts | {"marks": None}).axes[0].texts


def test_a_name_is_no_mathematics(facts):
    title = curves(facts | {"corpus": {"name": "a$b_c$.txt"}}).axes[0].get_title("left")
    assert title.endswith("text a$b_c$.txt")
    curves(facts | {"corpus": {"name": "$\\x{$"}}).draw_without_rendering()


@pytest.mark.parametrize(
    ("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")]
)
def test_a_picture_is_of_the_kind_its_name_says(facts, tmp_path, name, start):
    draw_curves(tmp_path / name, facts)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_png_has_the_colours_of_both_curves(facts, tmp_path):
    draw_curves(tmp_path / "a.png", facts)
    pixels = (imread(tmp_path / "a.png")[..., :3] * 255).round()  # (height, width, 3)
    for colour in ((230, 159, 0), (0, 114, 178)):
        assert (pixels == colour).all(-1).sum() > 500


def test_one_evaluation_is_a_point_and_none_is_refused(facts, tmp_path):
    one = curves(facts | {"history": facts["history"][:1], "best_step": 10})
    assert lines(one.axes[0])["held-out"].get_marker() == "."
    with pytest.raises(UsageError, match="no evaluation yet"):
        draw_curves(tmp_path / "a.png", facts | {"history": []})


def test_a_picture_that_cannot_be_written_leaves_the_old_one(facts, tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(WriteError, match=r"a\.png"):
        draw_curves(tmp_path / "a.png", facts)


# the option


def test_plot_draws_beside_what_is_shown(invoke, trained, tmp_path):
    shown = invoke("info", "--checkpoints", trained, "--plot", "a.svg", "--json").stdout
    assert "</svg>" in (tmp_path / "a.svg").read_text()
    assert json.loads(shown)["model"] == "gru"


def test_another_ending_is_a_usage_error_naming_the_endings(invoke, trained):
    result = invoke("info", "--checkpoints", trained, "--plot", "a.jpg")
    assert ".png, .svg or .pdf" in one_line_error(result, ExitCode.USAGE)


def test_a_folder_that_is_not_there_is_a_write_error(invoke, trained):
    result = invoke("info", "--checkpoints", trained, "--plot", "none/a.png")
    assert "none/a.png" in one_line_error(result, ExitCode.WRITE)


def test_without_matplotlib_the_remedy_is_named(invoke, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = invoke("info", "--checkpoints", trained, "--plot", "a.png")
    assert "pip install matplotlib" in one_line_error(result, ExitCode.USAGE)
