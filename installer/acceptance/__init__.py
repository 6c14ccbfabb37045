"""Acceptance of a hub: does it keep document 001's figures, or by how much are they missed?"""
