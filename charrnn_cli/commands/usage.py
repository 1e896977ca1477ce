"""A command line that Typer refuses, explained in the project's own words, with a remedy."""

import re
from typing import Any

from charrnn_cli.commands.options import ARGUMENTS
from charrnn_cli.formatting import did_you_mean
from charrnn_cli.settings.setting import Setting

# What people type who know other programs.
OTHER_COMMANDS = {
    "generate": "charrnn sample", "write": "charrnn sample", "predict": "charrnn sample",
    "complete": "charrnn sample", "fit": "charrnn train", "learn": "charrnn train",
    "finetune": "charrnn train TEXT --init-from", "resume": "charrnn train --resume",
    "evaluate": "charrnn score", "eval": "charrnn score", "perplexity": "charrnn score",
    "test": "charrnn score", "show": "charrnn info", "inspect": "charrnn info",
    "plot": "charrnn info --plot", "list": "charrnn runs", "ls": "charrnn runs",
    "models": "charrnn runs", "rename": "charrnn runs rename", "mv": "charrnn runs rename",
    "delete": "charrnn runs delete", "rm": "charrnn runs delete",
    "remove": "charrnn runs delete", "compare": "charrnn runs compare",
    "help": "charrnn --help", "version": "charrnn --version",
}  # fmt: skip
OTHER_OPTIONS = {
    "--lr": "--learning-rate", "--temp": "--temperature", "--t": "--temperature",
    "--n": "--num-samples", "--samples": "--num-samples", "--count": "--num-samples",
    "--tokens": "--length", "--max-tokens": "--length", "--max-length": "--length",
    "--chars": "--length", "--start": "--seed", "--text": "--seed", "--stop": "--until",
    "--hidden": "--hidden-size", "--units": "--hidden-size", "--n-embd": "--hidden-size",
    "--layers": "--num-layers", "--n-layer": "--num-layers", "--heads": "--num-heads",
    "--n-head": "--num-heads", "--block-size": "--context", "--batch": "--batch-size",
    "--time": "--minutes", "--epoch": "--epochs", "--arch": "--model", "--type": "--model",
    "--out": "--output", "--model-name": "--name", "--dir": "--checkpoints",
    "--gpu": "--device", "--clip": "--grad-clip", "--wd": "--weight-decay",
    "--fp16": "--precision", "--early-stopping": "--patience", "--verbose": "--quiet",
    "--model": "--checkpoint", "--run": "--checkpoint", "--list": "--all",
}  # fmt: skip

MODEL_OPTIONS = ("--checkpoint", "--model", "--run")


def explain(error: Any) -> str:
    """The one-line message for an error of Typer's, which is known by what it offers."""
    context = getattr(error, "ctx", None)
    command = "charrnn"
    if context is not None and context.parent is not None:
        command += f" {context.info_name}"
    help_line = f"See {command} --help"
    message = str(error.format_message())
    if hasattr(error, "possibilities"):  # NoSuchOption
        hint = _model_comes_first(error, command) or _options_like(error, help_line)
        return f"{command}: no option {error.option_name}. {hint}"
    if found := re.fullmatch(r"No such command '(.*?)'\..*", message, re.DOTALL):
        return _no_command(found[1], context)
    if found := re.fullmatch(r"Option '(.*)' requires an argument\.", message):
        setting = _setting_of(context, found[1])
        kind = "" if setting is None or setting.type not in (int, float) else f", {setting.kind}"
        return f"{found[1]}: its value is missing{kind}. {help_line}"
    if found := re.fullmatch(r"Option '(.*)' does not take a value\.", message):
        return f"{found[1]}: takes no value. Give it alone: {found[1]}"
    if found := re.fullmatch(r"Got unexpected extra argument\(s\) \((.*)\)", message, re.DOTALL):
        return (
            f"{command}: one argument too many: {found[1]}. A text with spaces goes in quotes. "
            f"{help_line}"
        )
    setting = _setting_of(context, getattr(getattr(error, "param", None), "name", None))
    if hasattr(error, "param_type") and setting is not None:  # MissingParameter
        name = setting.name.upper()
        return f"{command}: {name} is missing. Give it: {command} {name}"
    if setting is not None and setting.type in (int, float):
        return f"{setting.option} {_value_of(context, setting)}: must be {setting.kind}."
    return message


def _model_comes_first(error: Any, command: str) -> str:
    """How to name a model where an option for it was typed, if it is an argument there."""
    arguments = [p.name for p in error.ctx.command.params if p.param_type_name == "argument"]
    if error.option_name not in MODEL_OPTIONS or "checkpoint" not in arguments:
        return ""
    return f"Name the model without an option: {command} MODEL"


def _options_like(error: Any, help_line: str) -> str:
    known = [o for p in error.ctx.command.params for o in p.opts if o.startswith("--")]
    others = {typed: meant for typed, meant in OTHER_OPTIONS.items() if meant in known}
    return did_you_mean(error.option_name, known, others) or help_line


def _no_command(typed: str, context: Any) -> str:
    names = list(context.command.commands)
    hint = did_you_mean(typed, names, OTHER_COMMANDS)
    return f"no command {typed!r}. {hint or 'There are: ' + ', '.join(names) + '.'}"


def _value_of(context: Any, setting: Setting) -> str:
    """The value of an option as it was typed last."""
    words = context.meta.get(ARGUMENTS, [])
    typed = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == setting.option:
            typed = after
        elif word.startswith(f"{setting.option}="):
            typed = word.split("=", 1)[1]
    return typed


def _setting_of(context: Any, name: str | None) -> Setting | None:
    """The declaration of an option, by the option as typed or by its name."""
    settings: tuple[Setting, ...] = getattr(getattr(context, "command", None), "settings", ())
    wanted = (name or "").removeprefix("--").replace("-", "_")
    return next((s for s in settings if wanted == s.name or name in s.flags), None)
