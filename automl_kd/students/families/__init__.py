"""Student families, one file each: the recipe's part, the plan that it becomes, and what it takes.

A file that is added here registers its family in ``FAMILIES``, and so does one of an installed extension.
"""
