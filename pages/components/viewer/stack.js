// A series: slices come in chunks, are unpacked when they are looked at, and are forgotten again
// when they are far away. The page is told where the reader is, never asked for a single slice.

const MOST_PACKED_BYTES = 96 * 2 ** 20
const MOST_UNPACKED = 24
const TELL_AFTER_MS = 200
const ASK_AGAIN_AFTER_MS = 10000

class Stack {
  /** `tell` gets { series, index, turn, want }: where the reader is, and which chunk is missing. */
  constructor({ id, index, turn }, tell) {
    Object.assign(this, { id, index, turn, tell })
    this.chosen = {}
    this.packed = new Map()
    this.unpacked = new Map()
    this.asked = null
  }

  /** Take what the page sends; the page's own place counts where the page moved. */
  take(about, unpack, bytes) {
    this.about = about
    for (const slice of about.slices) {
      this.packed.set(slice.index, { slice, unpack, bytes: bytes / about.slices.length })
      this.unpacked.delete(slice.index)
      if (this.chunkOf(slice.index) === this.asked) this.asked = null
    }
    for (const [index, { slice }] of this.packed) {
      // Analysed since, or by another model.
      if (slice.version !== about.versions[index]) this.forget(index)
    }
    if (about.turn !== this.turn) {
      this.turn = about.turn
      this.index = about.index
    }
    this.forgetFarthest()
  }

  get last() {
    return this.about.count - 1
  }

  /** Go to a slice; whether that is another one. */
  go(index) {
    const wanted = Math.min(Math.max(Math.round(index), 0), this.last)
    if (wanted === this.index) return false
    this.index = wanted
    clearTimeout(this.telling)
    this.telling = setTimeout(() => this.send(null), TELL_AFTER_MS)
    this.ask()
    return true
  }

  /** The picture of the present slice; null while it is not there. */
  async picture() {
    const { index } = this
    const packed = this.packed.get(index)
    if (!packed) return null
    const known = this.unpacked.get(index)
    // Taken out and put in again: the one that was looked at longest ago is the first to go.
    this.unpacked.delete(index)
    const picture = known ?? (await packed.unpack(packed.slice))
    picture.chosen = this.chosen
    this.unpacked.set(index, picture)
    for (const oldest of this.unpacked.keys()) {
      if (this.unpacked.size <= MOST_UNPACKED) break
      this.unpacked.delete(oldest)
    }
    return picture
  }

  /** Ask for the chunk that is needed first, one at a time. */
  ask() {
    if (this.asked !== null) return
    const own = this.chunkOf(this.index)
    const later = this.index % this.about.chunk >= this.about.chunk / 2
    const near = later ? [own, own + 1, own - 1] : [own, own - 1, own + 1]
    const wanted = near.find((chunk) => this.isMissing(chunk))
    if (wanted === undefined) return
    this.asked = wanted
    clearTimeout(this.again)
    this.again = setTimeout(() => {
      this.asked = null
      this.ask()
    }, ASK_AGAIN_AFTER_MS)
    this.send(wanted)
  }

  end() {
    clearTimeout(this.telling)
    clearTimeout(this.again)
  }

  send(want) {
    clearTimeout(this.telling)
    this.tell({ series: this.id, index: this.index, turn: this.turn, want })
  }

  chunkOf(index) {
    return Math.floor(index / this.about.chunk)
  }

  isMissing(number) {
    const { chunk, count } = this.about
    for (let index = number * chunk; index < Math.min((number + 1) * chunk, count); index++) {
      if (index >= 0 && !this.packed.has(index)) return true
    }
    return false
  }

  forget(index) {
    this.packed.delete(index)
    this.unpacked.delete(index)
  }

  forgetFarthest() {
    let bytes = 0
    const nearest = [...this.packed.keys()].sort((a, b) => Math.abs(a - this.index) - Math.abs(b - this.index))
    for (const index of nearest) {
      bytes += this.packed.get(index).bytes
      if (bytes > MOST_PACKED_BYTES) this.forget(index)
    }
  }
}
