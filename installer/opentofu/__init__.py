"""OpenTofu (or Terraform) as a program here: what it is given, and what it tells."""
