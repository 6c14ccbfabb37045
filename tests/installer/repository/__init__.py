"""Tests of the room `repository`."""
