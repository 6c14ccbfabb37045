"""Host keys, looked at and confirmed."""
