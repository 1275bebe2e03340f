// From decoded layers to a pane. Window and level are in the values of the uploaded picture.

/** Redraw the scan itself, where its window or channel changed. */
function drawBase(picture, channel, { low, high }) {
  const key = `${channel} ${low} ${high}`
  if (picture.drawn === key) return
  picture.drawn = key
  const { samples, width, height, channels, offset, scale } = picture
  const table = new Uint8ClampedArray(picture.bits === 16 ? 65536 : 256)
  const factor = 255 / Math.max(high - low, 1e-9)
  for (let value = 0; value < table.length; value++) {
    table[value] = (offset + scale * value - low) * factor
  }
  const context = picture.base.getContext("2d")
  const image = context.createImageData(width, height)
  const out = image.data
  const chosen = channel === "all" ? [0, 1, 2] : Array(3).fill(Number(channel))
  const [red, green, blue] = channels === 3 ? chosen : [0, 0, 0]
  for (let at = 0, from = 0; at < out.length; at += 4, from += channels) {
    out[at] = table[samples[from + red]]
    out[at + 1] = table[samples[from + green]]
    out[at + 2] = table[samples[from + blue]]
    out[at + 3] = 255
  }
  context.putImageData(image, 0, 0)
}

/** Where a picture lies in a pane: pixels of the pane per pixel of the picture, and its corner. */
function placement(picture, view, width, height) {
  // Pixels need not be square: rows and columns may be spaced differently.
  const tall = picture.spacing ? picture.spacing[0] / picture.spacing[1] : 1
  const fit = Math.min(width / picture.width, height / (picture.height * tall))
  const across = fit * view.zoom
  const down = across * tall
  return {
    across,
    down,
    left: width / 2 - view.x * picture.width * across,
    top: height / 2 - view.y * picture.height * down,
  }
}

/** Draw a picture with its overlays into a canvas of `ratio` device pixels per CSS pixel. */
function drawPane(canvas, picture, view, overlays, ratio) {
  const context = canvas.getContext("2d")
  const width = canvas.width / ratio
  const height = canvas.height / ratio
  const place = placement(picture, view, width, height)
  const { across, down, left, top } = place
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.fillStyle = "#000"
  context.fillRect(0, 0, width, height)
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = "high"
  const lay = (layer, opacity) => {
    context.globalAlpha = opacity
    context.drawImage(layer, left, top, picture.width * across, picture.height * down)
    context.globalAlpha = 1
  }
  lay(picture.base, 1)
  if (!overlays) return drawMarks(context, picture, across, width, height)
  const heat = picture.heat[overlays.heat]
  if (heat) lay(heat, overlays.heatOpacity)
  if (picture.masked && overlays.mask === "filled") lay(picture.filled, overlays.maskOpacity)
  if (picture.masked && overlays.mask === "outline") {
    const path = new Path2D()
    path.addPath(picture.outline, new DOMMatrix([across, 0, 0, down, left, top]))
    context.globalAlpha = overlays.maskOpacity
    context.lineCap = context.lineJoin = "round"
    // A dark rim keeps the line visible on bright tissue.
    for (const [colour, thick] of [["rgb(0 0 0 / 55%)", 3.5], [`rgb(${picture.maskColour})`, 1.8]]) {
      context.strokeStyle = colour
      context.lineWidth = thick
      context.stroke(path)
    }
    context.globalAlpha = 1
  }
  drawMarks(context, picture, across, width, height)
}

/** What is known of the patient's sides and of lengths. */
function drawMarks(context, picture, across, width, height) {
  drawScaleBar(context, picture, across, width, height)
  if (picture.letters) drawLetters(context, picture.letters, width, height, picture.spacing ? 34 : 12)
}

/** The patient's sides at the left, right, upper and lower edge. */
function drawLetters(context, [left, right, top, bottom], width, height, foot) {
  context.font = "600 13px system-ui, sans-serif"
  context.textBaseline = "middle"
  context.lineWidth = 3
  context.strokeStyle = "#000"
  context.fillStyle = "#e8edf2"
  for (const [letter, x, y, align] of [
    [left, 8, height / 2, "left"],
    [right, width - 8, height / 2, "right"],
    [top, width / 2, 14, "center"],
    [bottom, width / 2, height - foot, "center"],
  ]) {
    context.textAlign = align
    context.strokeText(letter, x, y)
    context.fillText(letter, x, y)
  }
  context.textBaseline = "alphabetic"
}

/** A bar of a round number of millimetres, where the pixel spacing is known. */
function drawScaleBar(context, picture, across, width, height) {
  if (!picture.spacing) return
  const perPixel = (picture.spacing[1] * picture.sourceWidth) / picture.width
  const length = (mm) => (mm / perPixel) * across
  const mm = [100, 50, 20, 10, 5, 2, 1].find((one) => length(one) <= width / 3)
  if (!mm) return
  const [from, to, y] = [width / 2 - length(mm) / 2, width / 2 + length(mm) / 2, height - 10]
  context.beginPath()
  context.moveTo(from, y - 4)
  context.lineTo(from, y)
  context.lineTo(to, y)
  context.lineTo(to, y - 4)
  context.font = "12px system-ui, sans-serif"
  context.textAlign = "center"
  for (const [colour, thick] of [["#000", 4], ["#e8edf2", 1.5]]) {
    context.strokeStyle = colour
    context.lineWidth = thick
    context.stroke()
  }
  context.lineWidth = 3
  context.strokeStyle = "#000"
  context.strokeText(`${mm} mm`, width / 2, y - 6)
  context.fillStyle = "#e8edf2"
  context.fillText(`${mm} mm`, width / 2, y - 6)
}
