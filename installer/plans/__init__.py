"""A plan as values and as a file, and the playbooks that it pins."""
