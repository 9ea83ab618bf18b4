"""The procedural video world: short mp4 files whose answers are known."""
