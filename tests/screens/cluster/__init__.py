"""Tests of the page of a cluster."""
