"""Every read and write of Blender data."""
