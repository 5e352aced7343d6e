"""Times of real runs: the protocol, probe networks, and what is fitted on them."""
