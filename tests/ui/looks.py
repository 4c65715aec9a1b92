"""Every panel of the tab, opened, from top to bottom: in the light theme, at twice the size, in a narrow sidebar."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .screen import Screen
from .window import Window

_THEME = (
    "import glob, os\nf = [file for folder in bpy.utils.preset_paths('interface_theme') "
    "for file in glob.glob(os.path.join(folder, '*ight*.xml'))]\nbpy.ops.script.execute_preset(filepath=f[0], "
    "menu_idname='USERPREF_MT_interface_theme_presets')"
)
_OPEN = (  # panels that were never drawn begin open
    "for c in addon('ui.panel').classes:\n"
    "  if 'DEFAULT_CLOSED' in getattr(c, 'bl_options', ()):\n"
    "    bpy.utils.unregister_class(c); c.bl_options = set(); bpy.utils.register_class(c)"
)
_PAGES = 12  #: pictures of a look, at most
_SCROLL = 41  #: pixels that Blender scrolls at a time


@dataclass(frozen=True)
class Look:
    """How the window is set up."""

    light: bool = False
    scale: float = 1.0
    width: float = 1.0  #: of the sidebar, against Blender's own


LOOKS = {"light": Look(light=True), "large": Look(scale=2.0), "narrow": Look(width=0.68)}


def see(program: str, archive: Path, file: Path, out: Path, name: str) -> int:
    """Pictures of the tab with the character of `file` in one of `LOOKS`; how many there are."""
    look, screen = LOOKS[name], Screen()
    try:
        window = Window(program, screen, out / "work" / f"profile_{name}", {"A2P_PYTHON": sys.executable})
        if look.light:
            window.do(_THEME)
        window.do(f"bpy.context.preferences.view.ui_scale = {look.scale}")
        window.do(
            "bpy.ops.extensions.package_install_files(repo='user_default', "
            f"filepath={str(archive)!r}, enable_on_install=True, overwrite=True)"
        )
        window.do(f"bpy.ops.wm.open_mainfile(filepath={str(file)!r}, load_ui=False)")
        window.settle()  # Blender 5.2 crashes when it is asked for a sidebar before it has drawn
        window.do(_OPEN)
        window.do("_, a, _ = region('VIEW_3D'); a.spaces.active.show_region_ui = True")
        time.sleep(1)
        window.do("region('VIEW_3D')[2].active_panel_category = 'A2P'")
        window.settle()
        x, y, width, height = window.ask("rectangle('VIEW_3D')")
        if look.width < 1:  # its left edge is dragged to the right; some pixels are where 4.3 has it
            at, now = y + height * 0.9, width
            for off in (0, -3, 3, -6, 6):
                if now == width:
                    screen.drag((x + off, at), (x + off + (1 - look.width) * width, at))
                    window.settle()
                    x, y, now, height = window.ask("rectangle('VIEW_3D')")
            assert 0.5 * width < now < 0.8 * width, f"the sidebar is {now} wide, {width} before"
            width = now
        screen.move(x - 40, y + height - 20)
        before = None
        for page in range(_PAGES):
            window.settle()
            picture = screen.picture()[y : y + height, x : x + width].copy()
            if before is not None and (picture == before).all():
                return page
            screen.save(out / f"look_{name}_{page + 1}.png")
            before = picture
            times = round(0.8 * height / (_SCROLL * look.scale))
            window.do(f"with within('VIEW_3D', 'UI'):\n  for _ in range({times}): bpy.ops.view2d.scroll_down()")
        return _PAGES
    finally:
        window.close()
        screen.close()
