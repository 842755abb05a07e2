"""The state of one lane."""
