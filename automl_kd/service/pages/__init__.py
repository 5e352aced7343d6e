"""The page: the service for people, rendered on the server, which works without scripts, a mouse, or a wide screen."""
