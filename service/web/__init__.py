"""The HTTP interface, the only place that knows Flask."""
