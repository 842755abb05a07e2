"""What is held, and when it goes."""
