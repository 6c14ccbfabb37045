"""What a person sees: the wizard as Textual screens, and the same wizard as plain numbered lines.

A screen shows what the floors below say and returns a typed answer; it decides nothing. Only this
folder imports Textual.
"""
