"""Commands that live on their machine whether or not anybody watches."""
