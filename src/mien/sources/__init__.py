"""Where frames come from: video files, pictures, cameras, stream addresses, iterators."""

from mien.sources.opening import is_address_or_camera, open_source
from mien.sources.paced import Paced
from mien.sources.source import Source, TimedFrame

__all__ = ["Paced", "Source", "TimedFrame", "is_address_or_camera", "open_source"]
