"""Published networks rebuilt to their published shapes, without weights."""
