"""An acceptance on its own pages: a hub named, a profile chosen, reviewed, watched, judged."""
