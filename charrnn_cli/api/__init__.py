"""The tool in Python, as for notebooks: `charrnn_cli.load` and `charrnn_cli.train`."""
