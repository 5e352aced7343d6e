"""Executors that a search may name, one file each.

A file that is added here registers its executor in ``EXECUTORS``, and so does one of an installed extension.
"""
