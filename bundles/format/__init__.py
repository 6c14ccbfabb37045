"""What a bundle is: its documents, its recipe and lock, and the bounds of all readers."""
