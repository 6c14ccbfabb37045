"""The answers in one view, and the roles of the machines."""
