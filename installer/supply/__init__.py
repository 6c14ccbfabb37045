"""What a run is given: the site's bundle, room for it, and programs for a control host."""
