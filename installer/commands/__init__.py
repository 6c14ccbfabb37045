"""The commands of `sitewright`, one file each; `installer.cli` wires them together.

A command adds its options to a parser and runs to an exit code. Results go to standard output or
a file, narration to standard error.
"""
