"""A static page of a benchmark's runs: source | true edit | every run, case by case. It opens from file://.

    OUT/index.html                    tables, how each run was made, every number and prompt, the script
    OUT/pictures/source/<id>.png      copies; where an image is larger than a thumbnail, a thumbnail (.jpg)
    OUT/pictures/true-edit/<id>.png
    OUT/pictures/mask/<id>.png
    OUT/pictures/runs/<run>/<id>.png  of a scene, its contact sheet
    OUT/pictures/views/<run>/<k>/<id>.png    of a scene: a few of its views; those of the original in views/original/
    OUT/pictures/films/<run>/<id>.mp4        of a scene: original | edit
    OUT/pictures/full/...             on request: the images themselves where the above are thumbnails

Everything is drawn from the runs' records and from the benchmark's own folder; where that is gone, the page shows the
edits alone. A part of the page is named by what stands behind the # of its address, such as
`index.html#run=dds-0123456789abcdef&sort=lpips&order=worst`; templates/state.js says which names there are.
"""

from reports.gallery.page import write_page
from reports.gallery.sources import benchmark_cases, marked_words

__all__ = ["benchmark_cases", "marked_words", "write_page"]
