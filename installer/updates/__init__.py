"""Updates: which newer versions there are of the images that a site runs, and who says so."""
