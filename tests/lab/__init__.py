"""The lab: a dozen real systemd machines with OpenSSH on this machine, in seconds.

From a test, use the fixtures in `tests.lab.fixtures`; by hand, `python -m tests.lab up 3`.
"""
