"""Audio2Photoreal's data set in its released layout: read, checked, split, measured, converted both ways."""
