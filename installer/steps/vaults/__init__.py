"""Vault's shares and rights: what the steps of kind "vault" are made of."""
