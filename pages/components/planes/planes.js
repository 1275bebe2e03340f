// Three planes through one point of a volume. The volume's axes run from head to feet, from front to
// back and from the patient's right to left, so that a plane's rows and columns are shown as they lie.

// As in the viewer: it says where it is, is sent to a slice, and is asked where it is.
const [AT, GO, WHERE] = ["neurotriage:at", "neurotriage:go", "neurotriage:where"]
const WHEEL_STEP = 60
const MASK_OPACITY = 0.4
// Degrees from which on it is said that slices do not lie in the body's planes.
const TILTED = 5
const CROSS = "rgb(255 214 102 / 85%)"
// For each plane: the axis it lies across, those of its rows and columns, and the patient's sides
// at its left, right, upper and lower edge.
const PLANES = [
  { name: "Axial", across: 0, down: 1, right: 2, letters: ["R", "L", "A", "P"] },
  { name: "Coronal", across: 1, down: 0, right: 2, letters: ["R", "L", "H", "F"] },
  { name: "Sagittal", across: 2, down: 0, right: 1, letters: ["A", "P", "H", "F"] },
]

class Planes {
  constructor(root) {
    this.root = root.querySelector(".planes")
    this.said = root.querySelector(".said")
    this.views = PLANES.map((plane) => this.view(plane))
    root.querySelector(".views").replaceChildren(...this.views.map(({ figure }) => figure))
    this.watcher = new ResizeObserver(() => this.redraw())
    this.watcher.observe(this.root)
    this.onAt = ({ detail }) => {
      if (detail.series === this.about?.series) this.follow(detail.index)
    }
    window.addEventListener(AT, this.onAt)
  }

  async show(data) {
    if (data.problem) this.said.textContent = data.problem
    if (!data.url) {
      if (!data.problem && this.asked !== data.series) {
        this.asked = data.series
        this.said.textContent = "The planes are being put together …"
        this.setTriggerValue("load", data.series)
      }
      return
    }
    if (data.digest === this.digest) return
    this.digest = data.digest
    const answer = await fetch(data.url)
    if (!answer.ok) throw new Error(`the volume did not come: ${answer.status}`)
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const length = new DataView(bytes.buffer).getUint32(0, true)
    const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
    const start = 4 + length
    const [pixels, mask] = await Promise.all([
      inflate(bytes.subarray(start, start + about.pixels)),
      inflate(bytes.subarray(start + about.pixels)),
    ])
    if (data.digest !== this.digest) return
    Object.assign(this, { about, pixels, mask, point: [...about.start] })
    this.said.textContent =
      about.tilt >= TILTED ? `The planes follow the slices, which are tilted by up to ${about.tilt}° to the body.` : ""
    window.dispatchEvent(new CustomEvent(WHERE, { detail: { series: about.series } }))
    this.redraw()
    this.root.dataset.ready = data.digest
  }

  fail(error) {
    console.error(error)
    this.said.textContent = "The planes cannot be shown. Please reload the page."
  }

  destroy() {
    this.watcher.disconnect()
    window.removeEventListener(AT, this.onAt)
  }

  /** The viewer shows another slice: the point goes with it. */
  follow(index) {
    const { stackAxis, steps } = this.about
    this.point[stackAxis] = this.inside(stackAxis, Math.round(steps[index]))
    this.redraw()
  }

  /** Move the point, and the viewer with it where the point reaches another slice. */
  move(changes) {
    for (const [axis, at] of changes) this.point[axis] = this.inside(axis, Math.round(at))
    const { series, stackAxis, steps } = this.about
    if (changes.some(([axis]) => axis === stackAxis)) {
      const off = steps.map((step) => Math.abs(step - this.point[stackAxis]))
      window.dispatchEvent(new CustomEvent(GO, { detail: { series, index: off.indexOf(Math.min(...off)) } }))
    }
    this.redraw()
  }

  inside(axis, at) {
    return Math.min(Math.max(at, 0), this.about.shape[axis] - 1)
  }

  view(plane) {
    const figure = document.createElement("figure")
    const canvas = figure.appendChild(document.createElement("canvas"))
    figure.appendChild(document.createElement("figcaption")).textContent = plane.name
    canvas.tabIndex = 0
    canvas.setAttribute("role", "application")
    canvas.setAttribute("aria-label", `${plane.name} plane`)
    const view = { ...plane, figure, canvas, picture: document.createElement("canvas") }
    let wheeled = 0
    const aim = (event) => {
      if (!this.about || !view.scale) return
      const box = canvas.getBoundingClientRect()
      const column = (event.clientX - box.left - view.left) / view.scale - 0.5
      const row = (event.clientY - box.top - view.top) / view.scale - 0.5
      this.move([[view.right, column], [view.down, row]])
    }
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return
      canvas.setPointerCapture(event.pointerId)
      aim(event)
    })
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) aim(event)
    })
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!this.about) return
        event.preventDefault()
        wheeled += event.deltaY * (event.deltaMode === 1 ? 30 : 1)
        const steps = Math.trunc(wheeled / WHEEL_STEP)
        wheeled -= steps * WHEEL_STEP
        if (steps) this.move([[view.across, this.point[view.across] + steps]])
      },
      { passive: false },
    )
    canvas.addEventListener("keydown", (event) => {
      if (!this.about || event.ctrlKey || event.metaKey || event.altKey) return
      const step = event.shiftKey ? 10 : 1
      const to = {
        ArrowLeft: [view.right, -step],
        ArrowRight: [view.right, step],
        ArrowUp: [view.down, -step],
        ArrowDown: [view.down, step],
        PageUp: [view.across, -step],
        PageDown: [view.across, step],
      }[event.key]
      if (!to) return
      event.preventDefault()
      event.stopPropagation()
      this.move([[to[0], this.point[to[0]] + to[1]]])
    })
    return view
  }

  redraw() {
    if (this.waiting || !this.about) return
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0
      for (const view of this.views) this.draw(view)
      this.root.dataset.point = this.point.join(" ")
    })
  }

  draw(view) {
    const { canvas, picture, letters } = view
    const ratio = window.devicePixelRatio || 1
    const [width, height] = [canvas.clientWidth, canvas.clientHeight]
    if (!width || !height) return
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) })
    const [columns, rows] = [this.about.shape[view.right], this.about.shape[view.down]]
    this.cut(view, rows, columns)
    // One scale for the three of them, so that what is equally long looks equally long.
    view.scale = Math.min(
      ...this.views.map((one) =>
        Math.min(one.canvas.clientWidth / this.about.shape[one.right], one.canvas.clientHeight / this.about.shape[one.down]),
      ),
    )
    view.left = (width - columns * view.scale) / 2
    view.top = (height - rows * view.scale) / 2
    const context = canvas.getContext("2d")
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.fillStyle = "#000"
    context.fillRect(0, 0, width, height)
    context.imageSmoothingQuality = "high"
    context.drawImage(picture, view.left, view.top, columns * view.scale, rows * view.scale)
    this.cross(context, view, width, height)
    context.font = "600 13px system-ui, sans-serif"
    context.textBaseline = "middle"
    context.lineWidth = 3
    context.strokeStyle = "#000"
    context.fillStyle = "#e8edf2"
    const places = [[8, height / 2, "left"], [width - 8, height / 2, "right"], [width / 2, 14, "center"], [width / 2, height - 12, "center"]]
    places.forEach(([x, y, align], at) => {
      context.textAlign = align
      context.strokeText(letters[at], x, y)
      context.fillText(letters[at], x, y)
    })
  }

  /** The plane through the point as a picture, the masked region coloured. */
  cut({ picture, across, down, right }, rows, columns) {
    Object.assign(picture, { width: columns, height: rows })
    const { shape, maskColour } = this.about
    const strides = [shape[1] * shape[2], shape[2], 1]
    const context = picture.getContext("2d")
    const image = context.createImageData(columns, rows)
    const out = image.data
    let to = 0
    for (let row = 0; row < rows; row++) {
      let from = this.point[across] * strides[across] + row * strides[down]
      for (let column = 0; column < columns; column++, from += strides[right], to += 4) {
        const opacity = this.mask[from] ? MASK_OPACITY : 0
        const gray = this.pixels[from] * (1 - opacity)
        out[to] = gray + maskColour[0] * opacity
        out[to + 1] = gray + maskColour[1] * opacity
        out[to + 2] = gray + maskColour[2] * opacity
        out[to + 3] = 255
      }
    }
    context.putImageData(image, 0, 0)
  }

  cross(context, view, width, height) {
    const x = view.left + (this.point[view.right] + 0.5) * view.scale
    const y = view.top + (this.point[view.down] + 0.5) * view.scale
    // Open in the middle, so that what it points at stays visible.
    const gap = 9
    context.beginPath()
    for (const [x1, y1, x2, y2] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
      context.moveTo(x1, y1)
      context.lineTo(x2, y2)
    }
    context.lineWidth = 1
    context.strokeStyle = CROSS
    context.stroke()
  }
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

const shown = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  let planes = shown.get(parentElement)
  if (!planes) {
    planes = new Planes(parentElement)
    shown.set(parentElement, planes)
  }
  planes.setTriggerValue = setTriggerValue
  planes.show(data).catch((error) => planes.fail(error))
  return () => {
    planes.destroy()
    shown.delete(parentElement)
  }
}
