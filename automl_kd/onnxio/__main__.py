"""``python -m automl_kd.onnxio student.onnx student.tflite``: a quantised ONNX file as one of TensorFlow Lite."""

import sys

from automl_kd.core import UserError
from automl_kd.onnxio.tflite import to_tflite

if len(sys.argv) != 3:
    sys.exit(__doc__)
try:
    to_tflite(sys.argv[1], sys.argv[2])
except UserError as error:
    print(f"{sys.argv[1]}: {error}", file=sys.stderr)
    sys.exit(2)
