"""The neural avatar in Blender: capture sets, previews and the render engine. The networks run in the worker."""
