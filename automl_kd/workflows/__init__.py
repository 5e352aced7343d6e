"""The verbs, one file each: what the command line, Python and a service call."""

__all__ = [
    "compare",
    "dashboard",
    "distill",
    "export",
    "follow",
    "hardware",
    "plan",
    "report",
    "search",
    "status",
    "task_check",
    "task_init",
    "verification",
    "worker",
]
