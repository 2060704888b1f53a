"""Backup: copies of an archive that can be proved whole, and the way back from them."""
