"""What runs in a cluster and has something newer, and what applying it would do."""
