"""What a checkpoint and its run say of themselves."""
