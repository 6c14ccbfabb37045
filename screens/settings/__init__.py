"""The settings of a solution, as a form."""
