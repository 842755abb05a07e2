"""This process on its machine: its clock, its supervisor, its terminal, its proof of who it is."""
