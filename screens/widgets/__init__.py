"""The parts that several screens share, one file each."""
