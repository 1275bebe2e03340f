// Keeps the number of the chosen account in this browser, so that a reload does not ask again.
const SLOT = "neurotriage-reader"

export default function ({ data, setStateValue }) {
  try {
    if (data.chosen === null) {
      const kept = window.localStorage.getItem(SLOT)
      if (kept !== null && !data.known) setStateValue("kept", Number(kept))
    } else {
      window.localStorage.setItem(SLOT, String(data.chosen))
    }
  } catch {
    // A browser that keeps nothing: the account is chosen again after a reload.
  }
}
