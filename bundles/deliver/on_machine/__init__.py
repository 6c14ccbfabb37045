"""What runs on the machines, sent as text with each use; never imported here."""
