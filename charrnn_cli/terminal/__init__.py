"""Streams, bars, heat maps, plots, signals."""
