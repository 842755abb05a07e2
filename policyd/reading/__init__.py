"""From a log source to blocks and commits, and whether we see at all."""
