"""What OpenSSH's files mean: configurations, keys, known hosts."""
