"""GRU encoder-decoders, without attention (seq2seq) and with it (attention)."""
