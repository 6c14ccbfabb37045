"""Words that several screens share; nothing here knows a screen."""
