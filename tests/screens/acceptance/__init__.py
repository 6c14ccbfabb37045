"""The pages of an acceptance."""
