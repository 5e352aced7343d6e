"""The study engine: the request, the trials, what comes next, the picks distilled in full, and what was found."""

__all__ = [
    "clock",
    "delivered",
    "lookup",
    "policy",
    "preparation",
    "report",
    "request",
    "runner",
    "study_files",
    "summary",
    "timing",
    "understanding",
]
