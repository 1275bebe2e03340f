"""How urgent a case is and why, and when a reading counts as reported: pure functions."""
