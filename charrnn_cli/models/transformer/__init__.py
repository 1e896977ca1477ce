"""Decoder-only transformers: GPT-2 and Llama."""
