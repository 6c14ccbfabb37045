"""The backup of a site, as its first master makes it; written by Sitewright."""
