"""Training networks on data sets and writing model files: the only room that imports torch."""
