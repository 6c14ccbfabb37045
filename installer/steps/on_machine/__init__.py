"""Programs of steps that are sent to a machine and run there by its own Python, each by itself."""
