"""Tests of installer.opentofu."""
