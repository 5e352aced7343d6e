"""Kinds of data, one file each: what ``data.kind`` of a task file names."""
