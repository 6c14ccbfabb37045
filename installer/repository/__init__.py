"""A Git repository that a site is deployed from: written to begin with, looked at, brought on."""
