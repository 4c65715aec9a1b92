"""Every string that a person sees has an entry in Simplified Chinese, and the entries reach Blender."""

from __future__ import annotations

import ast
from pathlib import Path

import bpy

import blender_addon
from blender_addon import translations

FOLDER = Path(blender_addon.__file__).parent
DRAWN = [*sorted((FOLDER / "ui").glob("*.py")), *sorted((FOLDER / "ops").glob("*.py")), FOLDER / "preferences.py"]


def _of(rna, base=()) -> set[str]:
    found = set()
    for prop in rna.properties:
        if prop.identifier in base or prop.is_hidden or prop.name == prop.identifier:  # not shown
            continue
        found |= {prop.name, prop.description}
        if prop.type == "ENUM":
            found |= {text for item in prop.enum_items for text in (item.name, item.description)}
    return found


def visible() -> set[str]:
    """Labels and descriptions of operators, panels and properties, and the texts that panels draw."""
    found: set[str] = set()
    for name in dir(bpy.ops.a2p):
        rna = getattr(bpy.ops.a2p, name).get_rna_type()
        if "INTERNAL" not in getattr(bpy.ops.a2p, name).bl_options:
            found |= {rna.name, rna.description} | _of(rna, {"filepath", "check_existing", "rna_type"})
    groups = bpy.types.PropertyGroup.__subclasses__() + bpy.types.AddonPreferences.__subclasses__()
    for cls in groups:
        if cls.__name__.startswith("A2P_") and cls.is_registered:
            found |= _of(cls.bl_rna, set(bpy.types.PropertyGroup.bl_rna.properties.keys()) | {"bl_idname"})
    for cls in blender_addon._classes:
        found.add(getattr(cls, "bl_label", ""))
    for file in DRAWN:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
                found |= {word.value for word in node.args if isinstance(word, ast.Constant)}
            if isinstance(node, ast.Call) and not any(k.arg == "translate" for k in node.keywords):
                for word in node.keywords:
                    if word.arg in ("text", "heading"):
                        found |= {n.value for n in ast.walk(word.value) if _is_plain(n, word.value)}
    return {text for text in found if isinstance(text, str) and any(c.isalpha() for c in text)}


def _is_plain(node: ast.AST, whole: ast.AST) -> bool:
    """A constant that is the text, or one of two that it may be; not a piece of a formatted one."""
    ends = [whole.body, whole.orelse] if isinstance(whole, ast.IfExp) else [whole]
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node in ends


def test_every_visible_string_has_a_chinese_entry(addon):
    missing = sorted(visible() - set(translations.table("zh_HANS")))
    assert not missing, f"{len(missing)} without an entry in zh_HANS.json: {missing}"


def test_no_entry_is_empty_or_english(addon):
    table = translations.table("zh_HANS")
    assert all(text.strip() for text in table.values())
    plain = [key for key, text in table.items() if text == key and key.count(" ") > 1]
    assert not plain, plain


def test_blender_speaks_it(addon):
    view = bpy.context.preferences.view
    if "zh_HANS" not in bpy.app.translations.locales:
        return
    view.language, view.use_translate_interface = "zh_HANS", True
    try:
        assert (
            bpy.app.translations.pgettext_iface("Fill Again", "Operator") == translations.table("zh_HANS")["Fill Again"]
        )
    finally:
        view.language = "en_US"
