"""A viewer to look with: Orthanc and OHIF beside the gateway, on loopback."""
