"""The viewer of scans in a real browser."""

# What was asked of the viewer is drawn in the next frame.
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def viewer(page, selector: str = ""):
    """The viewer of an open case, or what it holds of this selector."""
    return page.locator(f".viewer {selector}".strip())


def panes(page):
    return viewer(page, "canvas")
