"""Panels. They show and arrange; they decide nothing."""

from . import panel

classes = panel.classes
