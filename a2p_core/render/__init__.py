"""Neural renderers: codes, pose and camera in, frames out."""
