"""From YAML nodes to frozen settings: ranges and names are checked here."""
