"""The same wizard in numbered lines."""
