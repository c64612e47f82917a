"""What holds for every test."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)  # how busy the machine is proves nothing
settings.load_profile("steady")
