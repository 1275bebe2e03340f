"""The queue that wakes workers. What is still to do stands in the database, not here."""
