"""PIE-Bench's ten types of edits, and the groups that Piva's experiments read them in. Imports no torch."""

EDIT_TYPES: dict[str, str] = {
    "0": "random",
    "1": "change-object",
    "2": "add-object",
    "3": "delete-object",
    "4": "change-content",
    "5": "change-pose",
    "6": "change-colour",
    "7": "change-material",
    "8": "change-background",
    "9": "change-style",
}
"""editing_type_id -> name. PIE-Bench has 140 cases of type 0, 80 of 1, 2, 3, 8 and 9, and 40 of 4 to 7."""

EDIT_GROUPS: dict[str, tuple[str, ...]] = {
    "appearance": ("4", "5", "6", "7", "8", "9"),
    "addition": ("2",),
    "deletion": ("3",),
    "translation": ("1",),
    "mixed": ("0",),
}
"""Groups of Piva's experiments -> types; deletion stands apart, and what is random is mixed (our reading)."""

_GROUP_OF = {type_id: group for group, types in EDIT_GROUPS.items() for type_id in types}


def type_title(type_id: str) -> str:
    """A type as a table shows it: "6 change-colour"; that of a scene's edit is its group, and has no number."""
    return f"{type_id} {EDIT_TYPES.get(type_id, '')}".strip()


def group_of(type_id: str) -> str | None:
    """The group of an edit type; of a type that is a group's name, that group; else None."""
    return type_id if type_id in EDIT_GROUPS else _GROUP_OF.get(type_id)
