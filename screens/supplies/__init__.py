"""The bundle: seen, chosen, made."""
