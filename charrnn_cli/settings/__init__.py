"""The settings, each declared once, and the configurations that hold their values."""
