"""How this product names itself in DICOM objects and on associations."""

PRODUCT_NAME = "maira-gateway"
MANUFACTURER = "maira-gateway project"

IMPLEMENTATION_CLASS_UID = "2.25.68481382160428890679601944460225317890"
"""(0002,0012); under the UUID root, so that no registration is needed."""

IMPLEMENTATION_VERSION_NAME = "MAIRA_GATEWAY"
"""(0002,0013), at most 16 characters."""

RESEARCH_NOTICE = "Research only, not for clinical use"
"""The readable mark that every result carries."""
