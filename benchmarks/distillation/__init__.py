"""How fast this project distils, what its losses cost and gain, and what balancing does to their weights."""
