"""Entry point of `charrnn` and of `python -m charrnn_cli`."""

import charrnn_cli.cli  # noqa: F401  # its commands add themselves to the app
from charrnn_cli.app import app


def main() -> None:
    """Run the command line and exit with its code."""
    app(prog_name="charrnn")


if __name__ == "__main__":
    main()
