"""Legacy: sessions of the recording system before this one, read and repaired."""
