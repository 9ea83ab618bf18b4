"""Rewards: pure functions on strings and numbers, with TRL's signature where they are rewards."""
