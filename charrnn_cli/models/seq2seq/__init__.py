"""Models of pairs, which read a source and write a target: sequence to sequence."""
