"""Applying updates: what is done about what is newer, workload by workload, by whoever owns it."""
