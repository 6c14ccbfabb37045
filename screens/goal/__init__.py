"""Which system, and which way of deploying it."""
