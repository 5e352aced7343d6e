"""The study engine: the request, the trials, what comes next, the picks distilled in full, and what was found."""

__all__ = [
    "clock",
    "context",
    "default_space",
    "delivered",
    "integers",
    "lookup",
    "objectives",
    "policy",
    "preparation",
    "published",
    "report",
    "request",
    "runner",
    "schema",
    "state",
    "study_files",
    "summary",
    "survey",
    "timing",
    "understanding",
]
