"""Texts: reading files and streams, the vocabulary, a text as ids."""
