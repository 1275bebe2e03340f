// Keeps the key of the visitor's workspace in this browser.
export default function ({ data }) {
  const secure = window.location.protocol === "https:" ? "; Secure" : ""
  document.cookie =
    `${data.name}=${data.token}; Max-Age=${data.seconds}; Path=/; SameSite=Strict${secure}`
}
