// Pointer, wheel and keys on a pane, turned into a handful of moves.

// Browsers report 100 to 120 for one notch of a wheel.
const WHEEL_STEP = 60

/**
 * Listen on a canvas.
 *
 * `moves` has: tool(), window(dx, dy), pan(dx, dy), zoom(factor, x, y), fit(), hover(x, y | null),
 * settled(), stacked() and slices(by). Distances and positions are in CSS pixels of the canvas.
 */
function listen(canvas, moves) {
  const pointers = new Map()
  let tool = "window"
  let wheeled = 0

  const at = (event) => {
    const box = canvas.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  const middle = () => {
    const [[ax, ay], [bx, by]] = [...pointers.values()]
    return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.hypot(ax - bx, ay - by) }
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 2) return
    event.preventDefault()
    canvas.focus({ preventScroll: true })
    canvas.setPointerCapture(event.pointerId)
    pointers.set(event.pointerId, at(event))
    tool = event.button !== 0 || event.shiftKey ? "pan" : moves.tool()
  })
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event)
    const before = pointers.get(event.pointerId)
    moves.hover(...now)
    if (!before) return
    if (pointers.size === 2) {
      const then = middle()
      pointers.set(event.pointerId, now)
      const next = middle()
      moves.pan(next.x - then.x, next.y - then.y)
      moves.zoom(next.apart / Math.max(then.apart, 1), next.x, next.y)
      return
    }
    pointers.set(event.pointerId, now)
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]]
    if (tool === "zoom") moves.zoom(Math.exp(-dy / 150), canvas.clientWidth / 2, canvas.clientHeight / 2)
    else moves[tool](dx, dy)
  })
  const release = (event) => {
    if (pointers.delete(event.pointerId)) moves.settled()
  }
  canvas.addEventListener("pointerup", release)
  canvas.addEventListener("pointercancel", release)
  canvas.addEventListener("pointerleave", () => moves.hover(null))
  canvas.addEventListener("contextmenu", (event) => event.preventDefault())
  canvas.addEventListener("dblclick", () => moves.fit())
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault()
      const lines = event.deltaMode === 1 ? 30 : 1
      if (moves.stacked() && !event.ctrlKey) {
        // A notch of a wheel is one slice; a touchpad sends many small parts of one.
        wheeled += event.deltaY * lines
        const steps = Math.trunc(wheeled / WHEEL_STEP)
        wheeled -= steps * WHEEL_STEP
        if (steps) moves.slices(-steps)
        return
      }
      moves.zoom(Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 100 : 500)), ...at(event))
    },
    { passive: false },
  )
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (moves.key(event.key, event.shiftKey)) {
      event.preventDefault()
      event.stopPropagation()
    }
  })
}
