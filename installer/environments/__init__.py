"""The environments of a control centre: many under one roof, each with a state of its own."""
