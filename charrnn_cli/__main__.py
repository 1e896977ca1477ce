"""Entry point of `charrnn` and of `python -m charrnn_cli`."""

from charrnn_cli.terminal.signals import default_interrupt, end_by_signal

with default_interrupt():
    from charrnn_cli.cli import app
    from charrnn_cli.errors import ExitCode


def main() -> None:
    """Run the command line and exit with its code, or by the signal that ended it."""
    try:
        app(prog_name="charrnn")
    except KeyboardInterrupt:  # before any command began: there is nothing to say
        end_by_signal(ExitCode.INTERRUPTED)
        raise
    except SystemExit as end:
        end_by_signal(end.code)
        raise


if __name__ == "__main__":
    main()
