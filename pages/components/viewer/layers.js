// The message from the page: length of a JSON header, the header, then deflated layers.

/** Header and a function that unpacks the layer of a number. */
function unpack(message) {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const headerLength = view.getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(message.subarray(4, 4 + headerLength)))
  const starts = []
  let start = 4 + headerLength
  for (const length of header.layers) {
    starts.push([start, start + length])
    start += length
  }
  return { header, layer: (number) => inflate(message.slice(...starts[number])) }
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))
  return new Response(stream).arrayBuffer()
}

/** Everything that is drawn of one scan, decoded. */
async function decodePicture(about, layer, colours, maskColour) {
  const raw = await layer(about.pixels)
  const heat = {}
  for (const [name, number] of Object.entries(about.heatMaps)) {
    const values = new Uint8Array(await layer(number))
    onDemand(heat, name, () => heatCanvas(values, about.heatSize, colours))
  }
  const mask = about.mask === null ? null : new Uint8Array(await layer(about.mask))
  const picture = {
    ...about,
    maskColour,
    samples: about.bits === 16 ? new Uint16Array(raw) : new Uint8Array(raw),
    heat,
    masked: mask !== null,
    base: canvasOf(about.width, about.height),
    drawn: "",
  }
  onDemand(picture, "filled", () => mask && filledCanvas(mask, about.width, about.height, maskColour))
  onDemand(picture, "outline", () => mask && outlinePath(mask, about.width, about.height))
  return picture
}

/** A property that is made when it is first asked for: few slices show all that they have. */
function onDemand(owner, name, make) {
  let made
  Object.defineProperty(owner, name, { enumerable: true, get: () => (made ??= make()) })
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas")
  canvas.width = width
  canvas.height = height
  return canvas
}

/** A heat map as colours, the more opaque the hotter, so that cold regions stay visible. */
function heatCanvas(values, [width, height], colours) {
  const canvas = canvasOf(width, height)
  const context = canvas.getContext("2d")
  const picture = context.createImageData(width, height)
  values.forEach((value, at) => {
    picture.data.set(colours.subarray(value * 3, value * 3 + 3), at * 4)
    picture.data[at * 4 + 3] = value
  })
  context.putImageData(picture, 0, 0)
  return canvas
}

function filledCanvas(mask, width, height, [red, green, blue]) {
  const canvas = canvasOf(width, height)
  const context = canvas.getContext("2d")
  const picture = context.createImageData(width, height)
  const pixels = new Uint32Array(picture.data.buffer)
  const colour = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0
  mask.forEach((value, at) => {
    if (value) pixels[at] = colour
  })
  context.putImageData(picture, 0, 0)
  return canvas
}

/** The border between masked and unmasked pixels as lines, sharp at every zoom. */
function outlinePath(mask, width, height) {
  const path = new Path2D()
  const masked = (x, y) =>
    x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x] !== 0
  // Runs of equal borders become one line each: fewer lines, and none stops at a pixel.
  const lines = (count, length, differs, line) => {
    for (let across = 0; across <= count; across++) {
      let from = -1
      for (let along = 0; along <= length; along++) {
        const border = along < length && differs(across, along)
        if (border && from < 0) from = along
        if (!border && from >= 0) {
          line(across, from, along)
          from = -1
        }
      }
    }
  }
  lines(height, width, (y, x) => masked(x, y - 1) !== masked(x, y), (y, from, to) => {
    path.moveTo(from, y)
    path.lineTo(to, y)
  })
  lines(width, height, (x, y) => masked(x - 1, y) !== masked(x, y), (x, from, to) => {
    path.moveTo(x, from)
    path.lineTo(x, to)
  })
  return path
}
