"""What the tests of the backup share."""

from tests.installer.pm4ml.backup.saved_master import cluster, keys, parts

__all__ = ["cluster", "keys", "parts"]
