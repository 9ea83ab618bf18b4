"""The site: plain Markdown, JSON and SVG from the catalogue, then `mkdocs build --strict`."""
