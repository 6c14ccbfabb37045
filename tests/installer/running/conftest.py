"""What the tests of a run's beginning share."""

from tests.installer.running.beginnings import watched

__all__ = ["watched"]
