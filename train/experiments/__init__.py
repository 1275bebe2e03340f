"""The systems of the source documents: one configuration each, and what runs and tabulates them."""
