"""GRU, LSTM and tanh RNN."""
