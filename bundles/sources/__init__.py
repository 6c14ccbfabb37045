"""Where a bundle's items come from, one file a kind."""
