"""What hidden units follow in a text."""
