"""Picture files of any kind, decoded once into one array on disk; what they and their pixels say of themselves."""

from automl_kd.pictures.colour import Colour, rgb
from automl_kd.pictures.decoded import Decoded, decoded, decoded_like
from automl_kd.pictures.formats import ENDINGS, FORMATS, UNREAD, reason_to_leave_out
from automl_kd.pictures.pictures import Pictures, Progress, silent
from automl_kd.pictures.pixels import PixelRule, pixel_rule
from automl_kd.pictures.row_facts import RowFacts, digest_of
from automl_kd.pictures.store import PictureStore

__all__ = [
    "ENDINGS",
    "FORMATS",
    "UNREAD",
    "Colour",
    "Decoded",
    "PictureStore",
    "Pictures",
    "PixelRule",
    "Progress",
    "RowFacts",
    "decoded",
    "decoded_like",
    "digest_of",
    "pixel_rule",
    "reason_to_leave_out",
    "rgb",
    "silent",
]
