"""Samplers that a search may name, one file each.

A file that is added here registers its sampler in ``SAMPLERS``, and so does one of an installed extension.
"""
