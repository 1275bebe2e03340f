"""Documents made of a case or of the worklist."""
