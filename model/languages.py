"""The languages an answer can be given in; the first one is the default and holds the facts."""

LANGUAGES = ("en", "zh")
