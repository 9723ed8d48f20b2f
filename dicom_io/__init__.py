"""DICOM: messages, headers, pixels, objects. No database, clock or settings file."""
