"""Trainers: TRL's, on video, with a method's hooks."""

from reproductions.shared.models import torchvision_cure

torchvision_cure.apply()  # before transformers imports torchvision
