"""How machines of PM4ML are taken out of a site, and replaced."""
