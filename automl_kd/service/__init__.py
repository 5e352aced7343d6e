"""The service: searches over HTTP, an API and a page, for those who have a token; a thin shell around the verbs."""

__all__ = ["server", "settings"]
