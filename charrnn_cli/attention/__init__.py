"""What attention heads follow in a text."""
