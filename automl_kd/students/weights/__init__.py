"""Weights that students start from and end with: files, checkpoints of others, and what a student takes of them."""
