"""Keeps pytest away: what is here is run by hand, needs root, and installs mail systems."""

collect_ignore_glob = ["*.py"]
