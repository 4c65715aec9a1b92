"""Many lines at once: `a2p batch LINES.csv`."""
