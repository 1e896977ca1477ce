"""The transformer encoder-decoder."""
