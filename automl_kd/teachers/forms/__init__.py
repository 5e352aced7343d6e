"""Forms of teachers that are brought, one file each: what a task file says of one, how it is looked at and opened."""
