"""A model of some thirty lines, as docs/adding_a_model.md builds it."""
