"""Names that a request chooses from; light, for the command line's help is made of them."""

from typing import Literal

Sampler = Literal["known-cost", "tpe", "nsga2", "random", "gp"]
Fidelity = Literal["halving", "none"]
ExecutorName = Literal["process", "inline", "ray"]
