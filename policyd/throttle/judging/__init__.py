"""From evidence to blame."""
