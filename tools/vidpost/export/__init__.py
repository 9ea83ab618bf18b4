"""The catalogue for other programs: BibTeX, CSL-JSON, tables, the companion list's README."""
