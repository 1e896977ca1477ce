"""`charrnn sample`: parses its options, calls the core, writes the text."""

from dataclasses import replace
from pathlib import Path

from charrnn_cli.commands.options import CHECKPOINT, Values, takes
from charrnn_cli.errors import UsageError
from charrnn_cli.sampling.threads import threads_for
from charrnn_cli.settings.configs import SamplingConfig
from charrnn_cli.settings.setting import Setting
from charrnn_cli.settings.table import SETTINGS, settings_of
from charrnn_cli.terminal.console import TextOut, say_wrapped
from charrnn_cli.terminal.thread_limit import import_numpy

EXAMPLE = "Example: charrnn sample sonnets --seed Shall --length 300 --temperature 0.8"
OPTIONS = (
    CHECKPOINT,
    Setting(
        name="seed",
        type=str,
        flags=("--prompt",),
        help="Text to continue [the beginning of a line].",
    ),
    Setting(name="seed_file", type=str, help="File with the text to continue, or - for stdin."),
    SETTINGS["length"],
    Setting(
        name="lines",
        type=int,
        at_least=1,
        at_most=10**9,
        help="Whole lines to write, and nothing after them.",
    ),
    *settings_of("sampling"),
    SETTINGS["num_samples"],
    Setting(
        name="separator",
        type=str,
        default="-" * 40,
        group="output",
        help="Line between two samples; empty: only their own line ends.",
    ),
    Setting(name="until", type=str, help="Stop after this text is written."),
    Setting(
        name="escapes",
        type=bool,
        default=False,
        group="output",
        help=r"Read \n as a newline, \t as a tab and \\ as a backslash in --seed, --until and "
        "--separator.",
    ),
    replace(SETTINGS["random_seed"], group="request", default_words="a new one, printed on stderr"),
    SETTINGS["unknown"],
    Setting(
        name="originality",
        type=str,
        metavar="[TEXT]",
        bare="text",
        group="output",
        help="Report on stderr how much is copied from the training text [the run's own].",
    ),
    Setting(
        name="new",
        type=bool,
        default=False,
        group="output",
        help="Of a model of a list, write only lines that are not in the list learned.",
    ),
    Setting(
        name="skip_copied",
        type=bool,
        default=False,
        group="output",
        help="Draw samples that stand in the training text again (the text: see --originality).",
    ),
    Setting(
        name="json",
        type=bool,
        default=False,
        group="output",
        stored_as="as_json",
        help="One JSON object per sample.",
    ),
    Setting(name="output", type=Path, group="output", help="Write to this file, not to stdout."),
    Setting(
        name="no_newline",
        type=bool,
        default=False,
        group="output",
        help="Add no newline where the text does not end in one.",
    ),
    SETTINGS["checkpoints"],
    SETTINGS["device"],
)


@takes(*OPTIONS)
def sample(request: Values, sampling: Values, output: Values, hardware: Values) -> None:
    """Write new text: the seed and what follows it, on stdout.

    The filters apply in this order: temperature, top-k, top-p, min-p.
    """
    # a single stream is too small to gain from more, and many have threads of ours
    streams = request["num_samples"]
    import_numpy(one_thread=streams == 1 or threads_for(streams) > 1)
    from charrnn_cli.sampling.items import NewItems, compare_items
    from charrnn_cli.sampling.prompt import unescape
    from charrnn_cli.sampling.samples import SampleRequest, open_samples
    from charrnn_cli.sampling.written import Drawing

    as_json, originality = output["as_json"], output["originality"]
    separator = output["separator"]
    if output["escapes"]:
        for name in ("seed", "until"):
            if request[name] is not None:
                request[name] = unescape(f"--{name}", request[name])
        separator = unescape("--separator", separator)
    if output["new"] and output["skip_copied"]:
        raise UsageError("--new and --skip-copied exclude each other: use one of them.")
    needs_text = originality is not None or output["skip_copied"] or output["new"]
    samples = open_samples(
        SampleRequest(
            sampling=SamplingConfig(**sampling),
            whole=as_json or needs_text,
            **request,
            **hardware,
        )
    )
    learned = None
    if needs_text:
        from charrnn_cli.sampling.originality import compare, learned_text

        option = "--new" if output["new"] else "--skip-copied"
        option = option if originality is None else "--originality"
        learned = learned_text(samples.file, samples.checkpoint, originality or None, option)
    for note in samples.notes:
        say_wrapped(note)
    drawing: Drawing | NewItems = samples.draw(learned if output["skip_copied"] else None)
    if learned is not None and output["new"]:
        drawing = NewItems(samples, learned)
    with TextOut(output["output"], final_newline=not output["no_newline"]) as out:
        for piece in drawing.json_lines() if as_json else drawing.text(separator):
            out.write(piece)
    for note in drawing.notes():
        say_wrapped(note)
    if learned is not None and originality is not None:
        found = (
            compare_items(samples.prompt.text, drawing.texts, learned)
            if samples.checkpoint.train.lines
            else compare(drawing.texts, learned)
        )
        say_wrapped(found.in_words(learned))
