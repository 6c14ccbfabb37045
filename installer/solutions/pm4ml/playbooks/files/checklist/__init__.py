"""The checklist of section 6.3, read from a repository on the first master."""
