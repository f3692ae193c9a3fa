"""The shell around the core: settings, HTTP, command line, logs."""
