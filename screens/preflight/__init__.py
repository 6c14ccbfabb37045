"""What the checks found, and what a person says to it."""
