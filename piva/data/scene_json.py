"""The JSON files of a scene, as types: what is read of them, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from piva.data.json_files import read_object
from piva.data.problems import DataError, validation_sentences

LENS_KEYS = ("k1", "k2", "k3", "k4", "p1", "p2")

LARGEST = 1e18
"""Of a number that is read, either way; ours, so that squares stay finite in float32."""
NARROWEST = 1e-3
"""Of a field of view, in radians or degrees; ours, so that focal lengths stay finite."""

Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0, le=LARGEST)]
Row = tuple[Number, Number, Number, Number]


def _rigid(matrix: tuple[Row, Row, Row, Row]) -> tuple[Row, Row, Row, Row]:
    """Tolerances ours: what rounding to three digits does to a rotation."""
    values = np.array(matrix)
    axes = values[:3, :3]
    turns = np.allclose(axes @ axes.T, np.eye(3), atol=1e-2) and np.linalg.det(axes) > 0
    if not (turns and np.allclose(values[3], (0, 0, 0, 1), atol=1e-6)):
        raise ValueError("is not a rotation and a translation, with 0 0 0 1 as its last row")
    return matrix


def _known_model(model: str) -> str:
    if model not in ("OPENCV", "PINHOLE"):
        raise ValueError(f"{model[:40]!r} is not read, only OPENCV and PINHOLE are: undistort the images first")
    return model


def _flat(matrix: Any) -> Any:
    """Rows one after the other, as they may also be written."""
    rows = isinstance(matrix, list) and all(isinstance(row, list) for row in matrix)
    return [value for row in matrix for value in row] if rows else matrix


Pose = Annotated[tuple[Row, Row, Row, Row], AfterValidator(_rigid)]


class _Json(BaseModel):
    """Keys that are not named are other programs' business."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Lens(_Json):
    """Intrinsics, shared or of one frame, in pixels."""

    fl_x: Positive | None = None
    fl_y: Positive | None = None
    cx: Number | None = None
    cy: Number | None = None
    w: Annotated[int, Field(gt=0)] | None = None
    h: Annotated[int, Field(gt=0)] | None = None
    k1: Number | None = None
    k2: Number | None = None
    k3: Number | None = None
    k4: Number | None = None
    p1: Number | None = None
    p2: Number | None = None

    def distortion(self) -> tuple[float, ...] | None:
        """k1, k2, k3, k4, p1, p2, or None where not one is given."""
        given = [getattr(self, key) for key in LENS_KEYS]
        return None if given == [None] * 6 else tuple(value or 0.0 for value in given)


class Frame(Lens):
    """One photograph of a nerfstudio capture."""

    file_path: str
    transform_matrix: Pose
    mask_path: str | None = None


class Nerfstudio(Lens):
    """transforms.json. Its applied_transform is in the poses and in the points already, and is not read."""

    camera_model: Annotated[str, AfterValidator(_known_model)] = "OPENCV"
    frames: Annotated[list[Frame], Field(min_length=1)]
    ply_file_path: str | None = None
    orientation_override: Literal["up", "none"] = "up"
    train_filenames: list[str] | None = None
    val_filenames: list[str] | None = None
    test_filenames: list[str] | None = None

    @field_validator("frames")
    @classmethod
    def _are_seen_whole(cls, frames: list[Frame]) -> list[Frame]:
        masked = sum(frame.mask_path is not None for frame in frames)
        if masked:
            raise ValueError(f"{masked} have a mask_path: masks are not read, so take it out to fit every pixel")
        return frames


class SyntheticFrame(_Json):
    """One picture of a NeRF-synthetic scene; its path has no suffix."""

    file_path: str
    transform_matrix: Pose


class Synthetic(_Json):
    """transforms_train.json and the like, of NeRF's Blender scenes."""

    camera_angle_x: Annotated[float, Field(ge=NARROWEST, lt=math.pi)]
    """Horizontal field of view in radians."""
    frames: Annotated[list[SyntheticFrame], Field(min_length=1)]


class PathFrame(_Json):
    """One camera of a path."""

    camera_to_world: Annotated[list[Number], BeforeValidator(_flat), Field(min_length=16, max_length=16)]
    """Row by row."""
    fov: Annotated[float, Field(ge=NARROWEST, lt=180)]
    """Vertical, in degrees."""
    camera_type: Literal["perspective"] = "perspective"


class CameraPath(_Json):
    """What nerfstudio's viewer exports."""

    camera_path: Annotated[list[PathFrame], Field(min_length=1)]
    camera_type: Literal["perspective"] = "perspective"


Content = TypeVar("Content", bound=BaseModel)


def parse_scene_json(root: Path, name: str, kind: type[Content]) -> Content:
    """The file `name` in the folder `root`.

    Raises:
        DataError: it can't be read, or something in it is missing or wrong; lists every problem.
    """
    content, problems = read_object(root / name, "cameras", root.resolve())
    if content is None or problems:
        raise DataError(root, problems)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise DataError(root, validation_sentences(error, name)) from error
