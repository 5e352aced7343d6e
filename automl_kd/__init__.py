"""Joint search of student architecture and distillation recipe, priced for the target device."""
