"""Checkpoints: the file format, run folders, safe writing."""
