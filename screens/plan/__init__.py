"""The plan, reviewed and begun."""
