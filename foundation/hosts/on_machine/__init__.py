"""Programs that run on the machines, with the Python that is there (3.8 or later) and no more.

They are sent as text with each use and leave no file behind.
"""
