"""Everything that a screen may ask of the floors below, and the real thing behind it."""
