"""The machines, and how one logs in to them."""
