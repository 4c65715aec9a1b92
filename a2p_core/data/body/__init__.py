"""The body corpus: captured gestures and idles, performed to two-channel conversations. See README.md."""
