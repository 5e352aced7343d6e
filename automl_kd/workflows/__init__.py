"""The verbs, one file each: what the command line, Python and a service call."""

__all__ = [
    "bench",
    "compare",
    "dashboard",
    "distill",
    "export",
    "follow",
    "hardware",
    "plan",
    "report",
    "reprice",
    "search",
    "status",
    "task_check",
    "task_init",
    "trial",
    "verification",
    "verify",
    "worker",
]
