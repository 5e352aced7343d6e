"""Stages of compression, one file each; a file that is added here registers its stage."""
