"""The catalogue: models, strict loader, lint and graph. Needs pydantic and pyyaml only."""
