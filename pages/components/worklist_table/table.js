// The rows of the worklist. Python sends them in words; what comes from people is only ever set as
// text. The function below runs again with every refresh: it changes what is different and leaves
// the reader's place (place.js, which stands before this file), focus and selection alone.

const tables = new WeakMap()
// Toggling several rows in a row is one message.
const SELECTION_PAUSE_MS = 250

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  let table = tables.get(parentElement)
  if (!table?.isThere()) {
    table = new Table(parentElement)
    tables.set(parentElement, table)
  }
  table.setStateValue = setStateValue
  table.setTriggerValue = setTriggerValue
  table.show(data)
}

class Table {
  constructor(root) {
    this.root = root
    this.element = root.querySelector("table")
    this.body = root.querySelector("tbody")
    this.template = root.querySelector("template").content.querySelector("tr")
    this.announcer = root.querySelector(".announcer")
    this.all = root.querySelector("thead input")
    this.rows = new Map()
    this.selected = new Set()
    this.shown = null
    this.current = null
    this.place = new Place(root, this.body, this.announcer)
    this.listen()
  }

  isThere() {
    return this.element.isConnected
  }

  listen() {
    this.body.addEventListener("click", (event) => this.clicked(event))
    this.body.addEventListener("keydown", (event) => this.pressed(event))
    this.body.addEventListener("focusin", (event) => this.makeCurrent(rowOf(event.target)))
    this.all.addEventListener("change", () => {
      for (const id of this.rows.keys()) this.mark(id, this.all.checked)
      this.selectionChanged()
    })
    for (const head of this.root.querySelectorAll("th[data-sort]")) {
      head.querySelector("button").addEventListener("click", () =>
        this.setTriggerValue("sorted", head.dataset.sort)
      )
    }
  }

  // ---- what is shown

  show(data) {
    const before = this.shown
    this.shown = data
    this.root.querySelector("caption").textContent = data.caption
    this.root.querySelector(".note").textContent = `${data.note} Updated ${clock(data.updated)}.`
    this.showOrder(data.sort)
    if (before?.selection.epoch !== data.selection.epoch) {
      this.selected = new Set(data.selection.ids)
    }
    if (before === null) {
      this.showRows(data.rows)
      this.comeBack(data.came_from)
    } else if (before.list === data.list) {
      const known = new Set(this.rows.values())
      this.place.keep(() => this.showRows(data.rows))
      this.place.tellOfNew([...this.rows.values()].filter((row) => !known.has(row)))
    } else {
      this.showRows(data.rows)
      // Another page, order or filter: from its top, and said to who cannot see it.
      this.makeCurrent(this.body.firstElementChild)
      this.place.toTop()
      this.announcer.textContent = data.caption
    }
    this.showSelection()
  }

  showOrder(sort) {
    for (const head of this.root.querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort === sort.key) head.setAttribute("aria-sort", sort.direction)
      else head.removeAttribute("aria-sort")
    }
  }

  showRows(rows) {
    const focused = this.place.rowWithFocus()
    const index = focused ? [...this.body.children].indexOf(focused) : 0
    const inner = this.root.activeElement
    const kept = new Set(rows.map((row) => row.id))
    for (const [id, element] of this.rows) {
      if (!kept.has(id)) {
        element.remove()
        this.rows.delete(id)
      }
    }
    rows.forEach((row, index) => {
      const element = this.rows.get(row.id) ?? this.added(row)
      this.fill(element, row)
      const there = this.body.children[index]
      if (there !== element) move(this.body, element, there ?? null)
    })
    if (this.current && !this.current.isConnected) this.current = null
    const next = this.body.children[index] ?? this.body.lastElementChild
    this.makeCurrent(this.current ?? next)
    // Moving a row takes the focus from it, and a row that left took it along.
    if (focused && !this.place.rowWithFocus()) {
      const focusable = focused.isConnected ? inner : this.current
      focusable?.focus({ preventScroll: true })
    }
  }

  added(row) {
    const element = this.template.cloneNode(true)
    element.dataset.id = row.id
    this.rows.set(row.id, element)
    return element
  }

  fill(element, row) {
    const json = JSON.stringify(row)
    if (element.json === json) return
    element.json = json
    for (const place of element.querySelectorAll("[data-text]")) {
      write(place, row[place.dataset.text])
    }
    element.dataset.band = row.band_code
    element.dataset.finding = row.finding_code
    element.dataset.wait = row.wait_code
    element.dataset.lesion = row.lesion_code
    element.dataset.status = row.status_code
    element.dataset.flagged = row.flagged
    element.querySelector("input").setAttribute("aria-label", `Select ${row.name}`)
    element.querySelector(".patient a").setAttribute("href", row.href)
    element.querySelector(".patient .detail").title = row.study
    element.querySelector(".wait").title = `Received ${moment(row.received)}`
    element.querySelector(".bar i").style.width = `${100 * (row.tumour_share ?? 0)}%`
    element.querySelector(".bar").hidden = row.tumour_share === null
    const picture = element.querySelector("img")
    picture.hidden = row.picture === null
    if (row.picture !== null && picture.getAttribute("src") !== row.picture) {
      picture.src = row.picture
      picture.alt = row.picture_says
    }
    const button = element.querySelector(".assignee button")
    button.dataset.action = row.assign_action ?? ""
    if (row.assign) button.setAttribute("aria-label", `${row.assign}: ${row.name}`)
    element.querySelector(".reasons").replaceChildren(...row.reasons.map(reason))
  }

  comeBack(id) {
    const row = this.rows.get(id)
    if (!row) return
    this.makeCurrent(row)
    row.focus({ preventScroll: true })
    row.scrollIntoView({ block: "center" })
  }

  // One row at a time is in the tab order.
  makeCurrent(row) {
    if (!row || row === this.current) return
    if (this.current) this.current.tabIndex = -1
    row.tabIndex = 0
    this.current = row
  }

  // ---- selection

  mark(id, isSelected) {
    if (isSelected) this.selected.add(id)
    else this.selected.delete(id)
  }

  toggle(row) {
    const id = Number(row.dataset.id)
    this.mark(id, !this.selected.has(id))
    this.selectionChanged()
  }

  selectionChanged() {
    this.showSelection()
    this.announcer.textContent = `${this.selected.size} selected`
    clearTimeout(this.pause)
    const { epoch } = this.shown.selection
    this.pause = setTimeout(() => {
      if (this.isThere()) this.setStateValue("selection", { epoch, ids: [...this.selected] })
    }, SELECTION_PAUSE_MS)
  }

  showSelection() {
    let count = 0
    for (const [id, row] of this.rows) {
      const isSelected = this.selected.has(id)
      count += isSelected
      row.setAttribute("aria-selected", String(isSelected))
      row.querySelector("input").checked = isSelected
    }
    this.all.checked = count > 0 && count === this.rows.size
    this.all.indeterminate = count > 0 && count < this.rows.size
  }

  // ---- what the reader does

  open(row) {
    this.setTriggerValue("opened", Number(row.dataset.id))
  }

  assign(row) {
    const { action } = row.querySelector(".assignee button").dataset
    if (action) this.setTriggerValue(action, Number(row.dataset.id))
  }

  clicked(event) {
    const row = rowOf(event.target)
    if (!row) return
    if (event.target.closest(".select")) {
      // The box has changed itself already where it was hit; beside it, the whole cell counts.
      this.toggle(row)
    } else if (event.target.closest("button")) {
      this.assign(row)
      // The button may go with what it did.
      row.focus({ preventScroll: true })
    } else if (event.target.closest("a") && isForNewTab(event)) {
      return
    } else if (this.root.getSelection?.().isCollapsed ?? document.getSelection().isCollapsed) {
      event.preventDefault()
      this.open(row)
    }
  }

  pressed(event) {
    const row = rowOf(event.target)
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return
    const rows = [...this.body.children]
    const index = rows.indexOf(row)
    const to = {
      ArrowDown: rows[index + 1],
      ArrowUp: rows[index - 1],
      Home: rows[0],
      End: rows.at(-1),
    }
    if (event.key in to) {
      event.preventDefault()
      this.goTo(to[event.key])
      return
    }
    if (event.target !== row) return
    const action = { Enter: this.open, " ": this.toggle, a: this.assign, A: this.assign }[event.key]
    if (!action) return
    event.preventDefault()
    action.call(this, row)
  }

  goTo(row) {
    if (!row) return
    row.focus({ preventScroll: true })
    row.scrollIntoView({ block: "nearest" })
  }
}

function write(place, text) {
  const wanted = text ?? ""
  if (place.textContent !== wanted) place.textContent = wanted
  place.hidden = wanted === ""
}

function reason({ text, points }) {
  const item = document.createElement("span")
  item.className = "reason"
  item.textContent = text
  if (points) {
    const sum = document.createElement("small")
    sum.textContent = ` ${points}`
    item.append(sum)
  }
  return item
}

// The newer way to move keeps focus and scroll position.
function move(parent, element, before) {
  if (parent.moveBefore && element.isConnected) parent.moveBefore(element, before)
  else parent.insertBefore(element, before)
}

function isForNewTab(event) {
  return event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1
}

function clock(time) {
  return new Date(time).toLocaleTimeString("en-GB")
}

function moment(time) {
  return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })
}
