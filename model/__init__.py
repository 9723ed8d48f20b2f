"""Images and words: what a report engine takes and gives. No DICOM here."""
