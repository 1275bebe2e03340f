// The reader's place in the table: what they look at stays where it is on the screen, whatever comes
// and goes above it, and they are told of what came where they do not look.

// A pointer that rests is not a place: nobody may be looking.
const POINTING_MS = 3000

class Place {
  constructor(root, body, announcer) {
    this.root = root
    this.body = body
    this.announcer = announcer
    this.pointed = { row: null, at: -Infinity }
    this.unseen = new Set()
    this.news = root.querySelector(".news")
    this.news.addEventListener("click", () => this.showNews())
    body.addEventListener("pointermove", (event) => {
      this.pointed = { row: rowOf(event.target), at: performance.now() }
    })
  }

  rowWithFocus() {
    return rowOf(this.root.activeElement)
  }

  keep(change) {
    const scroller = this.scroller()
    const anchor = this.anchor()
    const before = anchor?.getBoundingClientRect().top
    change()
    if (anchor?.isConnected) scroller.scrollTop += anchor.getBoundingClientRect().top - before
  }

  anchor() {
    const isPointing = performance.now() - this.pointed.at < POINTING_MS
    for (const row of [this.rowWithFocus(), isPointing ? this.pointed.row : null]) {
      if (row?.isConnected && this.isSeen(row)) return row
    }
    const isScrolled = this.body.getBoundingClientRect().top < this.top()
    return isScrolled ? [...this.body.children].find((row) => this.isSeen(row)) : undefined
  }

  toTop() {
    this.unseen.clear()
    this.tellOfNew([])
    if (this.body.getBoundingClientRect().top < this.top()) {
      this.root.host.scrollIntoView({ block: "start" })
    }
  }

  // ---- what came further up

  tellOfNew(rows) {
    for (const row of rows) if (this.isAbove(row)) this.unseen.add(row)
    for (const row of this.unseen) if (!row.isConnected || !this.isAbove(row)) this.unseen.delete(row)
    const count = this.unseen.size
    const says = count ? `↑ ${count} new ${count === 1 ? "case" : "cases"} further up` : ""
    if (says && says !== this.news.textContent) this.announcer.textContent = says.slice(2)
    this.news.textContent = says
    this.news.hidden = !says
  }

  showNews() {
    const first = [...this.body.children].find((row) => this.unseen.has(row))
    this.unseen.clear()
    this.tellOfNew([])
    first?.focus({ preventScroll: true })
    first?.scrollIntoView({ block: "center" })
  }

  // ---- what is in sight

  isSeen(row) {
    return !this.isAbove(row) && row.getBoundingClientRect().top < window.innerHeight
  }

  isAbove(row) {
    return row.getBoundingClientRect().bottom <= this.top()
  }

  top() {
    return this.scroller().getBoundingClientRect().top
  }

  scroller() {
    for (let one = this.root.host.parentElement; one; one = one.parentElement) {
      const { overflowY } = getComputedStyle(one)
      if (overflowY === "auto" || overflowY === "scroll") return one
    }
    return document.scrollingElement
  }
}

function rowOf(element) {
  return element?.closest?.("tbody tr") ?? null
}

