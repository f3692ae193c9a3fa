"""Archives of bounces: reading, running, results, report; no Flask here."""
