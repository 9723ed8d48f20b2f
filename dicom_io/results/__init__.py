"""GroundedReport + Evidence -> DICOM objects, and back from them."""
