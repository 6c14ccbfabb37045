"""Tests of installer.environments."""
