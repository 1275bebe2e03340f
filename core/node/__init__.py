"""The node on the hospital network: receives scans by DICOM, sends results back to an archive."""
