"""Measuring a model file, and fitting its calibration. Free of torch."""
