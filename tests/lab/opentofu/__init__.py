"""A real OpenTofu for tests, and one provider of its filesystem mirror."""
