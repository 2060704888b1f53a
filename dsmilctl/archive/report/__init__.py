"""Report: one recording on one page, with its statistics, charts, findings and what to do about them."""
