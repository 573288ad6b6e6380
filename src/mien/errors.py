"""What mien raises: one line that says what came, where, and what was expected."""


class MienError(Exception):
    """The base of all errors that mien raises on purpose."""


class ImageError(MienError, ValueError):
    """A frame, a face or a picture file that can't be taken."""


class ModelError(MienError, ValueError):
    """A model file that is missing, damaged or contradicts itself."""


class DataError(MienError, ValueError):
    """A data set, or a file it is made from, that can't be taken."""


class ConfigError(MienError, ValueError):
    """A setting that is unknown or out of range."""


class SourceError(MienError, ValueError):
    """A video, a stream or a camera that can't be read."""


class WindowError(MienError, RuntimeError):
    """A window that can't be opened."""
