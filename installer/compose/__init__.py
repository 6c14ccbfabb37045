"""Docker Compose projects as values: what they are made of, and whether they stand."""
