"""Networks of timm as students: split at their stages, cut or narrowed, and loaded from published weights."""
