"""What is known of a checkpoint and its run: facts, tables, drawings."""
