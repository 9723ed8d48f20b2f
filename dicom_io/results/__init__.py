"""GroundedReport + Evidence -> EncodedInstance: SR, GSPS."""
