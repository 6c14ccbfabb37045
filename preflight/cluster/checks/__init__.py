"""Checks of a cluster, one file a layer; each a pure function from facts and needs to findings."""
