"""The commands: each parses its options, calls the core and prints what came back."""
