"""vidpost: the executable survey of Video-LMM post-training (light part, no torch)."""

__version__ = "0.1.0"
