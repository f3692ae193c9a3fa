"""Training and measuring: imports the core, never the service."""
