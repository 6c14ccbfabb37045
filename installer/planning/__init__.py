"""A solution, a site and what was seen become a plan; a new site file is begun."""
