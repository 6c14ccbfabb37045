"""A real Kubernetes for tests: its programs, and what they are started as."""
