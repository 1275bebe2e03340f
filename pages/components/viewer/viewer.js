// The viewer: what the reader chose, the panes, and the controls around them.

const ZOOM_STEP = 1.25
const MOST_ZOOM = 32
// Dragging this many pixels takes the window or the level through the whole range of values.
const DRAG_RANGE = 500
const HABITS = "neurotriage-viewer"
// Below this width two panes beside each other are too small to read in.
const TWO_PANES_FROM = 620
// How the views of one series find each other: the viewer says where it is, is sent to a slice, and
// is asked where it is.
const [AT, GO, WHERE] = ["neurotriage:at", "neurotriage:go", "neurotriage:where"]

/** How this reader likes the viewer; kept in the browser, so that the next case opens alike. */
function readHabits() {
  const usual = { tool: "window", layout: null, mask: "outline", maskOpacity: 90, heatOn: false, heatOpacity: 60 }
  try {
    return { ...usual, ...JSON.parse(window.localStorage.getItem(HABITS) ?? "{}") }
  } catch {
    return usual
  }
}

class Viewer {
  constructor(root) {
    this.root = root.querySelector(".viewer")
    this.find = (selector) => this.root.querySelector(selector)
    this.named = (name) => this.find(`[data-name="${name}"]`)
    this.habits = readHabits()
    this.panes = []
    this.turn = 0
    this.stack = null
    this.watcher = new ResizeObserver(() => this.redraw())
    this.watcher.observe(this.find(".panes"))
    this.bind()
  }

  /** Take a message from the page; the same one again changes nothing. */
  async show(message) {
    const { header, layer } = unpack(message)
    if (header.digest === this.digest) return
    this.digest = header.digest
    const turn = ++this.turn
    const colours = new Uint8Array(await layer(header.colours))
    const unpacked = (about) => decodePicture(about, layer, colours, header.maskColour)
    this.takeStack(header.stack, unpacked, message.byteLength)
    const pictures = await Promise.all(header.pictures.map(unpacked))
    const slice = await this.stack?.picture()
    // A later message overtook this one while it was unpacked.
    if (turn !== this.turn) return
    this.header = header
    if (this.stack) {
      // What is missing is on its way; what is there stays until then.
      if (!slice) return this.reflectSlice()
      pictures.unshift(slice)
    }
    const before = this.pictures
    this.pictures = pictures
    if (before?.[0].group !== pictures[0].group) {
      this.channel = "all"
      this.heat = header.predicted
      this.view = { x: 0.5, y: 0.5, zoom: 1 }
    }
    this.heat ??= header.predicted
    for (const picture of pictures) {
      // What the reader had set for a picture that is still there stays.
      picture.chosen ??= before?.find((one) => one.id === picture.id)?.chosen ?? {}
    }
    if (this.channel !== "all" && pictures[0].channels === 1) this.channel = "all"
    this.earlierShown = pictures.length > 1 && (before?.length > 1 ? this.earlierShown : true)
    this.offer()
    this.layOut()
    this.root.dataset.ready = header.digest
    // The reader may have gone on while this was unpacked.
    this.follow()
  }

  /** Take the series of a message; the one that was there before stays what it was. */
  takeStack(about, unpacked, bytes) {
    if (this.stack && this.stack.id !== about?.id) {
      this.stack.end()
      this.stack = null
    }
    if (!about) return
    this.stack ??= new Stack(about, (place) => this.tell(place))
    this.stack.take(about, unpacked, bytes)
    this.stack.ask()
  }

  fail(error) {
    console.error(error)
    this.named("trouble").textContent =
      "The scan cannot be shown in this browser. Please reload the page, or use a current browser."
  }

  destroy() {
    this.turn++
    this.stack?.end()
    this.watcher.disconnect()
    window.removeEventListener(GO, this.onGo)
    window.removeEventListener(WHERE, this.onWhere)
  }

  // --- going through a series ---

  toSlice(index) {
    if (this.stack?.go(index)) this.follow()
  }

  step(by) {
    if (this.stack) this.toSlice(this.stack.index + by)
  }

  /** Show the slice the reader is at; while one is unpacked only the latest wish is kept. */
  async follow() {
    if (!this.stack || !this.pictures) return
    this.reflectSlice()
    this.announce()
    if (this.following) return
    this.following = true
    try {
      for (let index = -1; this.stack && index !== this.stack.index; ) {
        index = this.stack.index
        const picture = await this.stack.picture()
        if (picture && picture !== this.pictures[0] && picture.group === this.pictures[0].group) this.place(picture)
      }
    } catch (error) {
      this.fail(error)
    } finally {
      this.following = false
      this.reflectSlice()
    }
  }

  /** Put another slice where the one before is. */
  place(picture) {
    const [before] = this.pictures
    this.pictures[0] = picture
    for (const pane of this.panes) {
      if (pane.picture !== before) continue
      pane.picture = picture
      if (pane.title === before.title) pane.title = pane.caption.textContent = picture.title
    }
    this.offerSlice()
    this.redraw()
  }

  /** Tell the other views of the page which slice is shown. */
  announce() {
    const { id, index } = this.stack
    window.dispatchEvent(new CustomEvent(AT, { detail: { series: id, index } }))
  }

  reflectSlice() {
    const { index, about } = this.stack
    const said = about.captions[index]
    Object.assign(this.named("slice"), { min: 1, max: about.count, value: index + 1 })
    this.named("slice").setAttribute("aria-valuetext", said)
    this.named("slice-said").textContent = said
    this.named("slice-found").textContent = about.findings[index]
    this.root.toggleAttribute("data-behind", this.pictures?.[0].index !== index)
    this.root.dataset.slice = this.pictures?.[0].index ?? ""
  }

  // --- what is chosen ---

  window(picture) {
    const channel = picture.channels === 3 ? this.channel : "all"
    picture.chosen[channel] ??= { ...picture.windows[channel][0] }
    return picture.chosen[channel]
  }

  setWindow(low, high, picture = this.pictures[0]) {
    const [least, most] = picture.range
    const smallest = (most - least) / 4096 || 1e-6
    const chosen = this.window(picture)
    chosen.low = low
    chosen.high = Math.max(high, low + smallest)
    this.redraw()
  }

  shiftWindow(dx, dy, picture) {
    const { low, high } = this.window(picture)
    const [least, most] = picture.range
    const unit = (most - least) / DRAG_RANGE || 1
    const width = Math.max(high - low + dx * unit, unit)
    const level = Math.min(Math.max((low + high) / 2 + dy * unit, least), most)
    this.setWindow(level - width / 2, level + width / 2, picture)
  }

  preset(number) {
    const picture = this.pictures[0]
    const channel = picture.channels === 3 ? this.channel : "all"
    const preset = picture.windows[channel][number]
    if (preset) this.setWindow(preset.low, preset.high)
  }

  zoom(factor, pane, x, y) {
    const { picture, canvas } = pane
    const [width, height] = [canvas.clientWidth, canvas.clientHeight]
    const old = placement(picture, this.view, width, height)
    const zoom = Math.min(Math.max(this.view.zoom * factor, 1), MOST_ZOOM)
    const fx = (x - old.left) / (picture.width * old.across)
    const fy = (y - old.top) / (picture.height * old.down)
    this.view.zoom = zoom
    // What lies under the pointer stays there.
    const next = placement(picture, this.view, width, height)
    this.move(
      x - next.left - fx * picture.width * next.across,
      y - next.top - fy * picture.height * next.down,
      pane,
    )
  }

  move(dx, dy, { picture, canvas }) {
    const { across, down } = placement(picture, this.view, canvas.clientWidth, canvas.clientHeight)
    const inside = (value) => (this.view.zoom === 1 ? 0.5 : Math.min(Math.max(value, 0), 1))
    this.view.x = inside(this.view.x - dx / (picture.width * across))
    this.view.y = inside(this.view.y - dy / (picture.height * down))
    this.redraw()
  }

  fit() {
    this.view = { x: 0.5, y: 0.5, zoom: 1 }
    this.redraw()
  }

  reset() {
    for (const { chosen } of this.pictures) for (const channel of Object.keys(chosen)) delete chosen[channel]
    this.fit()
    this.say()
  }

  keep(changes) {
    Object.assign(this.habits, changes)
    try {
      window.localStorage.setItem(HABITS, JSON.stringify(this.habits))
    } catch {
      // A browser that keeps nothing: the next page starts with the usual choices.
    }
    this.redraw()
  }

  layout() {
    if (this.earlierShown) return "earlier"
    return this.habits.layout ?? (this.root.clientWidth >= TWO_PANES_FROM ? "side" : "one")
  }

  setLayout(layout) {
    this.earlierShown = layout === "earlier"
    if (!this.earlierShown) this.keep({ layout })
    this.layOut()
  }

  nextLayout() {
    const all = ["side", "one", ...(this.pictures.length > 1 ? ["earlier"] : [])]
    this.setLayout(all[(all.indexOf(this.layout()) + 1) % all.length])
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen()
    else this.root.requestFullscreen?.()
  }

  // --- listening ---

  bind() {
    const act = {
      "zoom-in": () => this.zoomMiddle(ZOOM_STEP),
      "zoom-out": () => this.zoomMiddle(1 / ZOOM_STEP),
      fit: () => this.fit(),
      reset: () => this.reset(),
      full: () => this.fullScreen(),
      "slice-before": () => this.step(-1),
      "slice-after": () => this.step(1),
      "slice-leading": () => this.toSlice(this.stack.about.leading),
    }
    this.onGo = ({ detail }) => {
      if (detail.series === this.stack?.id) this.toSlice(detail.index)
    }
    this.onWhere = ({ detail }) => {
      if (detail.series === this.stack?.id) this.announce()
    }
    window.addEventListener(GO, this.onGo)
    window.addEventListener(WHERE, this.onWhere)
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]")
      if (button && this.pictures) act[button.dataset.act]()
    })
    this.root.addEventListener("input", ({ target }) => {
      if (!this.pictures) return
      const { low, high } = this.window(this.pictures[0])
      const number = Number(target.value)
      const changed = {
        tool: () => this.keep({ tool: target.value }),
        layout: () => this.setLayout(target.value),
        mask: () => this.keep({ mask: target.value }),
        preset: () => this.preset(number),
        width: () => this.setWindow((low + high - number) / 2, (low + high + number) / 2),
        level: () => this.setWindow(number - (high - low) / 2, number + (high - low) / 2),
        channel: () => this.setChannel(target.value),
        "mask-opacity": () => this.keep({ maskOpacity: number }),
        heat: () => this.setHeat(target.value),
        "heat-opacity": () => this.keep({ heatOpacity: number }),
        slice: () => this.toSlice(number - 1),
      }
      changed[target.dataset.name ?? target.name]?.()
    })
  }

  setChannel(channel) {
    this.channel = channel
    this.offerPresets()
    this.redraw()
  }

  setHeat(name) {
    if (name !== "off") this.heat = name
    this.keep({ heatOn: name !== "off" })
  }

  zoomMiddle(factor) {
    const [pane] = this.panes
    this.zoom(factor, pane, pane.canvas.clientWidth / 2, pane.canvas.clientHeight / 2)
  }

  key(key, shift, pane) {
    const [step, nudge] = [40, DRAG_RANGE / 40]
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
    const keys = {
      "+": () => this.zoomMiddle(ZOOM_STEP),
      "=": () => this.zoomMiddle(ZOOM_STEP),
      "-": () => this.zoomMiddle(1 / ZOOM_STEP),
      0: () => this.fit(),
      r: () => this.reset(),
      m: () => this.keep({ mask: this.habits.mask === "off" ? "outline" : "off" }),
      o: () => this.keep({ mask: this.habits.mask === "outline" ? "filled" : "outline" }),
      g: () => this.keep({ heatOn: !this.habits.heatOn }),
      l: () => this.nextLayout(),
      f: () => this.fullScreen(),
    }
    const page = Math.max(1, Math.round((this.stack?.last ?? 0) / 10))
    const steps = { PageUp: page, PageDown: -page, Home: -Infinity, End: Infinity }
    if (!shift && this.habits.tool !== "pan") Object.assign(steps, { ArrowUp: 1, ArrowDown: -1 })
    if (this.stack && steps[key]) {
      this.step(steps[key])
      return true
    }
    if (arrows[key]) {
      const [x, y] = arrows[key]
      if (shift) this.shiftWindow(x * nudge, y * nudge, pane.picture)
      else this.move(-x * step, -y * step, pane)
    } else if (/^[1-9]$/.test(key)) this.preset(Number(key) - 1)
    else if (keys[key.toLowerCase()]) keys[key.toLowerCase()]()
    else return false
    this.say()
    return true
  }

  // --- showing ---

  /** Fill the controls with what this scan has. */
  offer() {
    const { header } = this
    const [picture] = this.pictures
    this.meanings = Object.fromEntries(header.classes.map(({ id, meaning }) => [id, meaning]))
    options(this.named("channel"), header.channels)
    this.named("channel").value = this.channel
    this.offerSlice()
    this.root.style.setProperty("--mask", `rgb(${header.maskColour})`)
    this.find(".swatch.heat").style.background = `linear-gradient(90deg, ${header.gradient})`
    this.offerPresets()
    const [least, most] = picture.range
    const step = most - least >= 100 ? 1 : (most - least) / 200 || 1
    for (const [name, from] of [["width", step], ["level", least]]) {
      Object.assign(this.named(name), { min: from, max: name === "width" ? most - least || 1 : most, step })
    }
  }

  /** What differs from slice to slice. */
  offerSlice() {
    const [picture] = this.pictures
    const only = {
      composite: picture.channels === 3,
      // In a series the controls stay where they are, whether or not this slice needs them.
      mask: picture.masked || this.stack !== null,
      analysed: picture.analysed || this.stack !== null,
      waiting: !picture.analysed,
      earlier: this.pictures.length > 1,
      stack: this.stack !== null,
    }
    for (const element of this.root.querySelectorAll("[data-only]")) {
      element.hidden = !only[element.dataset.only]
    }
    const classes = this.header.classes.filter(({ id }) => id in picture.heat)
    this.classNames = Object.fromEntries(classes.map(({ id }) => [id, picture.heatNames[id]]))
    options(this.named("heat"), [["off", "Off"], ...Object.entries(this.classNames)])
    this.named("mask-meaning").textContent = picture.maskMeaning
    if (this.stack) this.reflectSlice()
  }

  offerPresets() {
    const [picture] = this.pictures
    const windows = picture.windows[picture.channels === 3 ? this.channel : "all"]
    options(this.named("preset"), [...windows.map(({ name }, at) => [at, name]), ["own", "Own"]])
  }

  layOut() {
    const layout = this.layout()
    const [now, earlier] = this.pictures
    const wanted = {
      side: [[now, false, "Scan"], [now, true, "With overlays"]],
      one: [[now, true, now.title]],
      earlier: [[now, true, now.title], [earlier, true, earlier?.title]],
    }[layout]
    const focused = this.panes.findIndex(({ canvas }) => canvas === canvas.getRootNode().activeElement)
    this.panes = wanted.map(([picture, overlays, title]) => this.pane(picture, overlays, title))
    this.find(".panes").replaceChildren(...this.panes.map(({ figure }) => figure))
    if (focused >= 0) this.panes[Math.min(focused, this.panes.length - 1)].canvas.focus()
    this.redraw()
  }

  pane(picture, overlays, title) {
    const figure = document.createElement("figure")
    figure.className = "pane"
    const [canvas, caption, corner, value] = ["canvas", "figcaption", "span", "span"].map((tag) =>
      figure.appendChild(document.createElement(tag)),
    )
    caption.textContent = title
    corner.className = "window"
    value.className = "value"
    canvas.tabIndex = 0
    canvas.setAttribute("role", "application")
    canvas.setAttribute("aria-roledescription", "scan")
    canvas.setAttribute("aria-describedby", "keys")
    const pane = { figure, canvas, caption, picture, overlays, title, corner, value }
    listen(canvas, {
      tool: () => this.habits.tool,
      stacked: () => this.stack !== null,
      slices: (by) => this.step(by),
      window: (dx, dy) => this.shiftWindow(dx, dy, pane.picture),
      pan: (dx, dy) => this.move(dx, dy, pane),
      zoom: (factor, x, y) => this.zoom(factor, pane, x, y),
      fit: () => this.fit(),
      hover: (x, y) => this.hover(pane, x, y),
      key: (key, shift) => this.key(key, shift, pane),
      settled: () => this.say(),
    })
    return pane
  }

  redraw() {
    if (this.waiting || !this.pictures) return
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0
      this.draw()
    })
  }

  draw() {
    const ratio = window.devicePixelRatio || 1
    const overlays = {
      mask: this.habits.mask,
      maskOpacity: this.habits.maskOpacity / 100,
      heat: this.habits.heatOn ? this.heat : null,
      heatOpacity: this.habits.heatOpacity / 100,
    }
    for (const pane of this.panes) {
      const { canvas, picture } = pane
      const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((one) => Math.round(one * ratio))
      if (!width || !height) continue
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
      drawBase(picture, picture.channels === 3 ? this.channel : "all", this.window(picture))
      drawPane(canvas, picture, this.view, pane.overlays && overlays, ratio)
      canvas.dataset.tool = this.habits.tool
      canvas.setAttribute("aria-label", this.describe(pane))
      pane.corner.textContent = `W ${figure(this.width(picture), picture)} · L ${figure(this.level(picture), picture)}`
    }
    this.reflect()
  }

  width = (picture) => this.window(picture).high - this.window(picture).low
  level = (picture) => (this.window(picture).high + this.window(picture).low) / 2

  /** The controls say what is chosen, however it was chosen. */
  reflect() {
    const [picture] = this.pictures
    const { habits } = this
    for (const [name, value] of [["tool", habits.tool], ["layout", this.layout()], ["mask", habits.mask]]) {
      for (const input of this.root.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === value
    }
    this.named("heat").value = habits.heatOn && this.heat in picture.heat ? this.heat : "off"
    this.named("heat-meaning").textContent = habits.heatOn ? (this.meanings[this.heat] ?? "") : ""
    const { low, high } = this.window(picture)
    const windows = picture.windows[picture.channels === 3 ? this.channel : "all"]
    const preset = windows.findIndex((one) => one.low === low && one.high === high)
    this.named("preset").value = preset < 0 ? "own" : preset
    const sliders = [
      ["width", this.width(picture), figure(this.width(picture), picture)],
      ["level", this.level(picture), figure(this.level(picture), picture)],
      ["mask-opacity", habits.maskOpacity, `${habits.maskOpacity} %`],
      ["heat-opacity", habits.heatOpacity, `${habits.heatOpacity} %`],
    ]
    for (const [name, value, text] of sliders) {
      const slider = this.named(name)
      slider.value = value
      slider.setAttribute("aria-valuetext", text)
      this.find(`[data-for="${name}"]`).textContent = text
    }
    this.named("heat-opacity").disabled = !habits.heatOn
    this.named("mask-opacity").disabled = habits.mask === "off"
    this.find(".zoom").textContent = `${Math.round(this.view.zoom * 100)} %`
  }

  /** Tell the page where the reader is; not once the page has taken the viewer away. */
  tell(place) {
    if (this.root.isConnected) this.setTriggerValue?.("at", place)
  }

  describe({ picture, overlays, title }) {
    const shown = []
    if (overlays && picture.masked && this.habits.mask !== "off") shown.push(`mask ${this.habits.mask}`)
    if (overlays && this.habits.heatOn && picture.heat[this.heat]) shown.push(`Grad-CAM of ${this.classNames[this.heat]}`)
    return `${title}: ${picture.label}${shown.length ? `, with ${shown.join(" and ")}` : ", without overlays"}`
  }

  hover({ picture, canvas, value }, x, y) {
    if (x === null) {
      value.textContent = ""
      return
    }
    const place = placement(picture, this.view, canvas.clientWidth, canvas.clientHeight)
    const column = Math.floor((x - place.left) / place.across)
    const row = Math.floor((y - place.top) / place.down)
    if (column < 0 || row < 0 || column >= picture.width || row >= picture.height) {
      value.textContent = ""
      return
    }
    const from = (row * picture.width + column) * picture.channels
    const values = [...picture.samples.subarray(from, from + picture.channels)]
    const shares = picture.sourceWidth / picture.width
    const text = values.map((one) => figure(picture.offset + picture.scale * one, picture)).join(" / ")
    value.textContent = `${Math.floor(column * shares)}, ${Math.floor(row * shares)}: ${text}`
  }

  /** Tell a screen reader how things stand. */
  say() {
    const [picture] = this.pictures
    const [width, level] = [this.width(picture), this.level(picture)].map((one) => figure(one, picture))
    this.named("said").textContent =
      `Window ${width}, level ${level}, zoom ${Math.round(this.view.zoom * 100)} %. ${this.describe(this.panes.at(-1))}.`
  }
}

/** A value of the picture in as many digits as tell neighbours apart. */
function figure(value, { range: [least, most] }) {
  return most - least >= 100 ? String(Math.round(value)) : Number(value.toPrecision(3)).toString()
}

function options(select, pairs) {
  const wanted = pairs.map(([value, text]) => {
    const option = document.createElement("option")
    option.value = value
    option.textContent = text
    return option
  })
  select.replaceChildren(...wanted)
}

const viewers = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  let viewer = viewers.get(parentElement)
  if (!viewer) {
    viewer = new Viewer(parentElement)
    viewers.set(parentElement, viewer)
  }
  viewer.setTriggerValue = setTriggerValue
  viewer.show(data).catch((error) => viewer.fail(error))
  return () => {
    viewer.destroy()
    viewers.delete(parentElement)
  }
}
