"""Drivers: each speaks one protocol; the lifecycle around them owns time, locks, retries and state."""
