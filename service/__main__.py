"""Lets ``python -m service`` stand for ``ndr``."""

from service.cli import main

main()
