"""The status page: a template, its style and the script that keeps it fresh."""
