"""A run: watched, driven, verified, handed over, shown again."""
