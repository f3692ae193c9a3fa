"""Readers of evidence, one module a format."""
