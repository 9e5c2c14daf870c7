"""Pictures with bytes changed, cut or put in: pixels or a sentence come out, and never much memory is asked for."""

import numpy as np
import pytest
from hostile_pictures import encoded, noise, of_every_kind, turned
from hypothesis import given
from hypothesis import strategies as st
from json_values import STEADY, can_be_shown
from PIL import Image

from piva.data.depth_files import read_depth
from piva.data.images import ImageFileError, has_alpha, image_size, read_image
from piva.data.photos import read_photo

FILES = {
    "jpeg": encoded(noise(16), "JPEG", exif=turned().getexif()),
    "png": encoded(noise(16), "PNG", exif=turned().getexif()),
    "webp": encoded(noise(16), "WEBP"),
    "gif": encoded(noise(16).quantize(8), "GIF", save_all=True, append_images=[noise(16)]),
    "bmp": encoded(noise(16), "BMP"),
    "tiff": encoded(noise(16), "TIFF"),
    "deep tiff": encoded(Image.fromarray(np.arange(64, dtype=np.float32).reshape(8, 8)), "TIFF"),
} | {kind: content for kind, (content, _, _) in of_every_kind().items()}


@pytest.mark.filterwarnings("ignore")
@STEADY
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_pixels_or_a_sentence(tmp_path, name, changes):
    content = FILES[name]
    for place, length, put in changes:
        place %= len(content) + 1
        content = content[:place] + put + content[place + length :]
    file = tmp_path / "picture.png"
    file.write_bytes(content)
    for read in (image_size, has_alpha, read_image, lambda path: read_image(path, alpha=True), read_photo, read_depth):
        try:
            found = read(file)
        except ImageFileError as problem:
            can_be_shown(problem)
            continue
        if read is read_image:
            assert tuple(found.shape) == (3, *image_size(file))
            assert 0 <= found.min() <= found.max() <= 1
        if read is read_photo:
            assert found.mode == "RGB"
