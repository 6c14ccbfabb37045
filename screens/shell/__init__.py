"""The wizard's frame: the app, its looks and keys, how a step and a dialog behave."""
