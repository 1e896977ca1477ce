"""Training: from a plan to a saved model."""
