"""Text that people typed, shown as they typed it."""

_MARKDOWN = frozenset(r"\`*_{}[]()#+-.!|<>~:$&=")


def escaped(text: str) -> str:
    """Text in which Markdown finds nothing to format."""
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in text)
