"""Parsing of what the probe wrote: one file an area, each a pure function from text to facts."""
