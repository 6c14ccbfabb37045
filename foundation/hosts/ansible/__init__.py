"""Ansible's inventories, read as Ansible reads them."""
