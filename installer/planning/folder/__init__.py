"""Folder: what is wrong in the folder of a solution, line by line."""
