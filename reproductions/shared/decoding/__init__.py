"""What test-time methods are made of: voting, search, choice of frames, tools. No torch.

Every piece is a function of answers and numbers, or asks a `Generator`; none knows an engine.
"""
