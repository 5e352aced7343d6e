"""Compression: what is done to a student after its training, so that what is shipped is what was priced and scored."""
