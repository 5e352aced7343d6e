"""A network to the kernels that a runtime executes: traced or read, composed, fused, lowered."""
