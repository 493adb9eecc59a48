"""Merge a newer version of the template into a project: `python -m update PROJECT`.

Base is the version that the project is stamped with, theirs the wanted one. Both are rendered with
the project's answers, and git merges the difference between them into the project.

- `versions`: which commits those are.
- `rendering`: a version as a tree of files.
- `project`: the project's stamp and repository.
- `merging`: the merge, and what it left.
- `commands`: how git is called.
"""
