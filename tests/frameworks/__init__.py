"""Frameworks that are given a client of this library; see ``run.py``."""
