"""Which images and charts manifests name."""
