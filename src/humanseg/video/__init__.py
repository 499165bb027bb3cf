"""Videos: read, segmented frame by frame, smoothed, written.

* `pipeline`: all of it, file to file
* `container`: opens a file or a camera, and chooses its stream
* `reader`: frames and sound of it, in order
* `timeline`: when each frame is shown, and whether the file is whole
* `frame_colour`: colours and orientation
* `smoothing`: steady masks from frame to frame, by `motion`
* `writer`: the result, by its suffix
"""

from __future__ import annotations

from humanseg.video.pipeline import VideoReport, process_video
from humanseg.video.smoothing import Smoother

__all__ = ["Smoother", "VideoReport", "process_video"]
