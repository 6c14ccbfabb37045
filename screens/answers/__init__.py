"""What a person said, where the person stands, and how both are kept."""
