"""What each hook of the MTA is answered."""
