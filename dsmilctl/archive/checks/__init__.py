"""Checks: the five layers in which an archive proves that it is as it was written."""
