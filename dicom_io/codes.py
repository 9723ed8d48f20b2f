"""Every coded concept that this product writes or looks for, once.

Template (TID) and context group (CID) numbers are of PS3.16; each constant says
where it is used. Values and meanings are those of the dictionaries in pydicom.
"""

from pydicom.sr.coding import Code

# Document titles
IMAGING_MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
"""Root of the findings SR (TID 1500, CID 7021)."""
DIAGNOSTIC_IMAGING_REPORT = Code("18748-4", "LN", "Diagnostic Imaging Report")
"""Root of the narrative SR (TID 2000, CID 7000)."""
OF_INTEREST = Code("113000", "DCM", "Of Interest")
"""Root of the Key Object Selection (TID 2010, CID 7010)."""
REJECTED_FOR_SAFETY = Code("113037", "DCM", "Rejected for Patient Safety Reasons")
"""Root of the rejection note (TID 2010, CID 7031)."""

# Context of the document
ENGLISH = Code("en", "RFC5646", "English")
"""Language of content (TID 1204, CID 5000)."""
DEVICE = Code("121007", "DCM", "Device")
"""Observer type (TID 1002, CID 270): these documents have no human author."""
PERSON = Code("121006", "DCM", "Person")
"""Observer type (TID 1002, CID 270) of a report that a person wrote."""
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
"""TID 1500 row 4, TID 2000."""
IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
"""Value of Procedure reported; of CID 100, as TID 1500 asks."""

# Image library (TID 1600 to 1602)
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
SOURCE = Code("260753009", "SCT", "Source")
MODALITY = Code("121139", "DCM", "Modality")
PIXEL_DATA_ROWS = Code("110910", "DCM", "Pixel Data Rows")
PIXEL_DATA_COLUMNS = Code("110911", "DCM", "Pixel Data Columns")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
MODALITIES = {
    "CR": Code("CR", "DCM", "Computed Radiography"),
    "DX": Code("DX", "DCM", "Digital Radiography"),
    "RG": Code("RG", "DCM", "Radiographic imaging"),
}
"""Modality (0008,0060) of a radiograph as a coded concept (CID 29)."""

# Findings
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
"""TID 1500 row 6: the container of the measurement groups."""
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
"""TID 1500 row 12: what is said without a place in the image."""
FINDING = Code("121071", "DCM", "Finding")
"""Concept name of a finding (TID 1410, TID 2000, CID 7002)."""
UNSPECIFIC_FINDING = Code("404684003", "SCT", "Finding")
"""Value of Finding where the sentence is not coded (CID 3769)."""
COMMENT = Code("121106", "DCM", "Comment")
"""The whole sentence of a finding, beside its box."""
TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UNIQUE_IDENTIFIER = Code("112040", "DCM", "Tracking Unique Identifier")
"""What makes a region the same one in the findings SR and the GSPS (TID 1410)."""
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
"""Algorithm family (TID 4019, CID 7162)."""

# Narrative (TID 2000)
CURRENT_PROCEDURE_DESCRIPTIONS = Code("55111-9", "LN", "Current Procedure Descriptions")
"""Heading: how the report was made (CID 7001)."""
PROCEDURE_DESCRIPTION = Code("121065", "DCM", "Procedure Description")
"""A text under that heading (CID 7002)."""
FINDINGS = Code("59776-5", "LN", "Findings")
"""Heading of the sentences (CID 7001)."""
SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")
"""Purpose of the reference from a sentence to its image (CID 7551)."""

# Key objects (TID 2010)
KEY_OBJECT_DESCRIPTION = Code("113012", "DCM", "Key Object Description")
"""Why the objects are pointed at."""

# Secondary capture
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
"""Purpose in Source Image (0008,2112) of the drawn film (CID 7202)."""

# Equipment
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
"""Purpose in Contributing Equipment (0018,A001) of the model (CID 7005)."""
ACQUISITION_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")
"""Purpose in Contributing Equipment of the modality (CID 7005)."""

# Phantom images
POSTERO_ANTERIOR = Code("272479007", "SCT", "postero-anterior")
"""View Code (0054,0220), CID 4010."""
LATERAL = Code("399067008", "SCT", "lateral")
"""View Code (0054,0220), CID 4010."""
CHEST = Code("816094009", "SCT", "Chest")
"""Anatomic Region (0008,2218), CID 4031."""
