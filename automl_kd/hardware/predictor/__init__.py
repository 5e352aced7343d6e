"""Kernels to time: a cost model, its fit, and how far off it may be."""
