"""The first page: what is kept here, and where to begin."""
