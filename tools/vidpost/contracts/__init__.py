"""Contracts between catalogue and code, read with `ast`: no torch, nothing is executed."""
