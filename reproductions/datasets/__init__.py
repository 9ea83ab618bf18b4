"""Training data in published record formats: one reader a data set, records to samples."""
