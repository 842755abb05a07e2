"""What an operator may say about pacing."""
