"""Measurements, each a module of its own: `python -m bench.NAME`. Results: bench/README.md."""
