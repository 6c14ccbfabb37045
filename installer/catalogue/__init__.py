"""What a solution's folder says: its files' models, its stages, its settings."""
