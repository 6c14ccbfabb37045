"""Ansible as a program: its inventory, its command, its events."""
