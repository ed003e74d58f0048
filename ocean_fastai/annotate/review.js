// The review panel: one source for the widget in a notebook (anywidget calls `render`) and for the page without one
// (`startPage`). Text of users reaches the document only as text nodes and attributes, never as markup.

const COLUMNS = ["id", "batch", "action", "annotator", "path", "target", "was", "label", "x0", "y0", "x1", "y1",
  "undoes", "time"]
const DONE = {accept: "accepted", relabel: "relabelled", reject: "rejected"}
const MARKS = {accept: "✓", relabel: "→", reject: "✗"}
const PER_PAGE = 60
const AT_ONCE = 4 // Pictures asked for together, so that a decision never waits for a whole page of them

function make(tag, props = {}, ...children) {
  const node = document.createElement(tag)
  for (const [k, v] of Object.entries(props)) {
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v)
    else if (k === "text") node.textContent = v
    else if (v === true) node.setAttribute(k, "")
    else if (v !== false && v != null) node.setAttribute(k, v)
  }
  node.append(...children.filter(c => c != null))
  return node
}

function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(8))
  return Array.from(bytes, b => b.toString(16).padStart(2, "0")).join("")
}

// ---- decisions: the same rules as `last_decisions` in Python ----

function itemKey(path, was, box) {
  return JSON.stringify([path, was, box ? box.map(v => Number(v).toFixed(2)) : ""])
}

function keyOf(e) {
  return itemKey(e.path, e.was, e.x0 == null || e.x0 === "" ? null : [e.x0, e.y0, e.x1, e.y1])
}

function lastWords(entries, annotator) { // Map: key of an item -> its last entry that stands
  const own = entries.filter(e => e.annotator === annotator)
  const undone = new Set(own.filter(e => e.action === "undo").map(e => e.undoes))
  const out = new Map()
  for (const e of own) if (e.action !== "undo" && !undone.has(e.batch)) out.set(keyOf(e), e)
  return out
}

function lastBatch(entries, annotator) {
  const own = entries.filter(e => e.annotator === annotator)
  const undone = new Set(own.map(e => e.undoes))
  const found = own.filter(e => e.action !== "undo" && !undone.has(e.batch))
  return found.length ? found[found.length - 1].batch : null
}

function asCsv(entries) {
  const cell = v => v == null ? "" : /[",\n\r]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v)
  return [COLUMNS.join(","), ...entries.map(e => COLUMNS.map(c => cell(e[c])).join(","))].join("\n") + "\n"
}

// ---- the panel ----

function createPanel(root, host) {
  const data = host.data, items = data.items, n = items.path.length
  const keys = items.path.map((path, k) => itemKey(path, items.label[k], items.box[k]))
  const labels = [...new Set(items.label)]
  const order = new Map(data.classes.map((c, i) => [c, i]))
  labels.sort((a, b) => (order.get(a) ?? 1e9) - (order.get(b) ?? 1e9) || (a < b ? -1 : 1))
  const entries = [...host.entries], ids = new Set(entries.map(e => e.id))
  const s = {label: "*", show: "all", sort: data.sort, like: null, page: 0, view: [], selected: new Set(), at: 0,
    anchor: 0, large: false, boxes: true, map: true, annotator: data.annotator, said: ""}
  const index = new Map(keys.map((key, k) => [key, k]))
  let done = [], unsaved = [], waiting = 0, failure = "", tiles = [], shown = null

  const decided = k => done[k]
  function recall() { // What stands, of all entries
    done = new Array(n)
    for (const [key, e] of lastWords(entries, s.annotator)) if (index.has(key)) done[index.get(key)] = e
  }
  recall()
  const named = label => label === "" ? "(no label)" : label === "none" ? "none (nothing there)"
    : label[0] === "+" ? `${label.slice(1)} lacking?` : label
  const outcome = d => d ? `${MARKS[d.action]} ${d.action === "relabel" ? d.label : DONE[d.action]}` : ""
  const page = () => s.view.slice(s.page*PER_PAGE, (s.page + 1)*PER_PAGE)
  const pages = () => Math.max(1, Math.ceil(s.view.length/PER_PAGE))

  // -- what is shown, and in which order --

  function similarity(to) {
    const {dim, values} = data.vectors, at = to*dim
    return Array.from({length: n}, (_, k) => {
      let sum = 0
      for (let j = 0; j < dim; j++) sum += values[at + j]*values[k*dim + j]
      return sum
    })
  }

  function layOut(keep = null) {
    const shown = {all: () => true, open: k => !decided(k), accept: k => decided(k)?.action === "accept",
      relabel: k => decided(k)?.action === "relabel", reject: k => decided(k)?.action === "reject"}[s.show]
    s.view = []
    for (let k = 0; k < n; k++) if ((s.label === "*" || items.label[k] === s.label) && shown(k)) s.view.push(k)
    const by = {outlier: k => -(items.outlier[k] ?? -1e9), low: k => items.score[k] ?? 1e9,
      high: k => -(items.score[k] ?? -1e9)}[s.sort]
    if (s.sort === "like" && s.like != null) {
      const near = similarity(s.like)
      s.view.sort((a, b) => (b === s.like) - (a === s.like) || near[b] - near[a])
    } else if (by) {
      const value = s.view.map(by), rank = s.view.map((_, i) => i).sort((a, b) => value[a] - value[b] || a - b)
      s.view = rank.map(i => s.view[i])
    }
    const at = keep == null ? 0 : Math.max(0, s.view.indexOf(keep))
    s.page = Math.floor(at/PER_PAGE)
    s.at = at%PER_PAGE
    s.anchor = s.at
    s.selected.clear()
    draw()
  }

  // -- deciding --

  function chosen() {
    if (s.large || !s.selected.size) return page().slice(s.at, s.at + 1)
    return page().filter(k => s.selected.has(k))
  }

  function decide(action, label = null) {
    if (!s.annotator) { say("Write your name first: every decision says whose it is."); name.focus(); return }
    const batch = token(), time = new Date().toISOString(), picked = chosen(), made = []
    for (const k of picked) {
      const to = label === "suggestion" ? items.suggestion[k] : label ?? ""
      let act = action === "relabel" && to === items.label[k] ? "accept" : action
      if (act === "relabel" && !to || act === "accept" && !items.label[k]) continue
      const was = decided(k), value = act === "relabel" ? to : ""
      if (was && was.action === act && was.label === value) continue
      const [x0, y0, x1, y1] = items.box[k] ?? [null, null, null, null]
      made.push({id: `${batch}-${made.length}`, batch, action: act, annotator: s.annotator, path: items.path[k],
        target: data.target, was: items.label[k], label: value, x0, y0, x1, y1, undoes: "", time})
    }
    const what = {accept: "Accepted", relabel: "Relabelled", reject: "Rejected"}[action]
    if (made.length) say(`${what} ${made.length}${label && label !== "suggestion" ? ` as ${label}` : ""}.`)
    else say(picked.length ? "Nothing changed." : "Nothing is chosen.")
    keep(made)
    if (picked.length === 1) move(1)
    else { s.selected.clear(); refresh() }
  }

  function undo() {
    const batch = lastBatch(entries, s.annotator)
    if (!batch) { say("There is nothing to undo."); return }
    const of = entries.filter(e => e.batch === batch && e.annotator === s.annotator), id = token()
    keep([{id, batch: id, action: "undo", annotator: s.annotator, path: "", target: data.target, was: "", label: "",
      x0: null, y0: null, x1: null, y1: null, undoes: batch, time: new Date().toISOString()}])
    const at = page().indexOf(index.get(keyOf(of[0])))
    if (at >= 0) s.at = at
    say(`Undone: ${of.length} ${DONE[of[0].action]}.`)
    refresh()
    focusTile()
  }

  function keep(made) {
    if (!made.length) return
    take(made)
    unsaved.push(...made)
    send()
  }

  function take(made) { // Also what another view of the same panel decided
    const fresh = made.filter(e => !ids.has(e.id))
    for (const e of fresh) { ids.add(e.id); entries.push(e) }
    if (fresh.some(e => e.action === "undo")) return recall()
    for (const e of fresh) if (e.annotator === s.annotator) done[index.get(keyOf(e))] = e
  }

  function send() {
    const sent = [...unsaved]
    if (!sent.length) return
    waiting++
    failure = ""
    tell()
    host.keep(sent).then(() => {
      const kept = new Set(sent.map(e => e.id))
      unsaved = unsaved.filter(e => !kept.has(e.id))
    }, e => { failure = String(e?.message ?? e) }).finally(() => { waiting--; tell() })
  }

  // -- what one sees --

  const bar = make("div", {class: "rv-bar"})
  const name = make("input", {type: "text", value: s.annotator, size: 10, autocomplete: "off", onchange: () => {
    s.annotator = name.value.trim()
    host.named?.(s.annotator)
    recall()
    refresh()
  }})
  const classSelect = make("select", {onchange: () => { s.label = classSelect.value; layOut() }})
  const showSelect = make("select", {onchange: () => { s.show = showSelect.value; layOut() }},
    ...[["all", "all"], ["open", "undecided"], ["accept", "✓ accepted"], ["relabel", "→ relabelled"],
      ["reject", "✗ rejected"]].map(([v, t]) => make("option", {value: v, text: t})))
  const sorts = [["given", "as in the table"]]
  if (items.score.some(v => v != null)) sorts.unshift(["low", "score, lowest first"], ["high", "score, highest first"])
  if (data.vectors) sorts.unshift(["outlier", "outliers first"], ["like", "like the chosen one"])
  const sortSelect = make("select", {onchange: () => sortBy(sortSelect.value)},
    ...sorts.map(([v, t]) => make("option", {value: v, text: t})))
  const field = (text, input) => make("label", {class: "rv-field"}, make("span", {text}), input)
  bar.append(...[host.named ? field("Your name", name) : null, labels.length > 1 ? field("Label", classSelect) : null,
    field("Show", showSelect), field("Order", sortSelect)].filter(Boolean))

  const button = (text, key, act, kind = "") => make("button", {type: "button", class: `rv-button ${kind}`,
    onclick: act, "aria-keyshortcuts": key || null}, make("span", {text}), key ? make("kbd", {text: key}) : null)
  const actions = make("div", {class: "rv-actions", role: "toolbar", "aria-label": "Decide"})
  const suggest = button("Suggestion", "S", () => decide("relabel", "suggestion"))
  const relabels = data.classes.slice(0, 9).map((c, i) => {
    const out = button(c, String(i + 1), () => decide("relabel", c), "rv-class")
    out.style.setProperty("--color", data.colors[c])
    out.setAttribute("aria-label", `Relabel as ${c}`)
    return out
  })
  const more = data.classes.length <= 9 ? null : make("select", {"aria-label": "Relabel as another class",
    onchange: () => { if (more.value) decide("relabel", more.value); more.value = "" }},
    make("option", {value: "", text: "other class …"}),
    ...data.classes.slice(9).map(c => make("option", {value: c, text: c})))
  actions.append(button("✓ Accept", "A", () => decide("accept"), "rv-accept"),
    button("✗ Reject", "R", () => decide("reject"), "rv-reject"), button("↶ Undo", "U", undo))
  if (items.suggestion.some(Boolean)) actions.append(suggest)
  actions.append(make("span", {class: "rv-group"}, make("span", {class: "rv-soft", text: "→"}), ...relabels,
    ...(more ? [more] : [])))

  const status = make("div", {class: "rv-status", role: "status", "aria-live": "polite"})
  const kept = make("span", {class: "rv-kept"})
  const retry = make("button", {type: "button", class: "rv-button", text: "Try again", onclick: send})
  const foot = make("div", {class: "rv-foot"}, status, kept, retry)
  if (host.save) foot.append(button("Save CSV", "", () => host.save(asCsv(entries), s.annotator), "rv-save"))

  const grid = make("div", {class: "rv-grid", role: "listbox", "aria-multiselectable": "true",
    "aria-label": "Images to review"})
  const where = make("span", {class: "rv-soft"})
  const previous = button("‹ Page", "[", () => turn(-1)), next = button("Page ›", "]", () => turn(1))
  const pager = make("nav", {class: "rv-pager", "aria-label": "Pages"}, previous, where, next)
  const large = make("div", {class: "rv-large", hidden: true})
  const help = make("details", {class: "rv-help"}, make("summary", {text: "Keys"}), make("dl", {}, ...[
    ["A", "accept the label"], ["R", "reject it"], ["1 to 9", "relabel as that class"], ["S", "take the suggestion"],
    ["U, Ctrl+Z", "undo"], ["arrows", "go to another"], ["Space", "select or not"], ["Shift+arrows, Shift+click",
      "select a row of them"], ["Ctrl+click", "select one more"], ["Ctrl+A", "select the page"],
    ["Enter", "large, with boxes and map"], ["Escape", "back to the grid; select none"], ["[ ]", "page back, page on"],
    ["M", "order by likeness to this one"], ["B, C", "boxes and map on or off (large)"]]
    .flatMap(([k, t]) => [make("dt", {}, make("kbd", {text: k})), make("dd", {text: t})])))
  root.classList.add("rv")
  root.setAttribute("data-lm-suppress-shortcuts", "true") // JupyterLab's own keys rest in here
  root.replaceChildren(bar, actions, foot, pager, grid, large, help)

  function say(text) { s.said = text; tell() }

  function tell() {
    const many = s.selected.size
    status.textContent = [s.said, many ? `${many} selected.` : ""].filter(Boolean).join(" ")
    const count = done.reduce(sum => sum + 1, 0)
    kept.classList.toggle("rv-failed", Boolean(failure))
    retry.hidden = !failure
    kept.textContent = failure ? `${unsaved.length} decisions are NOT kept: ${failure}`
      : waiting ? `keeping ${unsaved.length} …` : `${count} of ${n} decided${host.kept ? `, ${host.kept}` : ", kept"}`
  }

  function sortBy(sort) {
    const current = page()[s.at]
    if (sort === "like") s.like = current ?? null
    s.sort = sortSelect.value = sort
    layOut(sort === "like" ? s.like : null)
    if (sort === "like" && s.like != null) say(`Ordered by likeness to ${items.path[s.like]}.`)
    focusTile()
  }

  function counts() {
    const total = new Map(labels.map(l => [l, [0, 0]]))
    for (let k = 0; k < n; k++) { const c = total.get(items.label[k]); c[1]++; if (decided(k)) c[0]++ }
    const options = [["*", `all (${done.reduce(sum => sum + 1, 0)} of ${n} decided)`],
      ...labels.map(l => [l, `${named(l)} (${total.get(l)[0]} of ${total.get(l)[1]} decided)`])]
    if (classSelect.options.length !== options.length)
      classSelect.replaceChildren(...options.map(([value]) => make("option", {value})))
    options.forEach(([, text], i) => { classSelect.options[i].textContent = text })
    classSelect.value = s.label
  }

  function tileFor(k, i) {
    const picture = make("img", {alt: "", draggable: "false"})
    const check = make("span", {class: "rv-check", "aria-hidden": "true",
      onclick: e => { e.stopPropagation(); toggle(i); place(i) }})
    const caption = make("span", {class: "rv-caption"})
    const tile = make("div", {class: "rv-tile", role: "option", tabindex: -1, onclick: e => click(e, i),
      ondblclick: () => { place(i); enlarge(true) }}, make("span", {class: "rv-picture"}, picture), check, caption)
    show(picture, "thumb", k)
    return {tile, caption, k}
  }

  function mark(t, i) {
    const {k, tile, caption} = t, d = decided(k), picked = s.selected.has(k)
    const now = [d?.id, picked, i === s.at, s.sort].join()
    if (t.drawn === now) return
    t.drawn = now
    tile.className = `rv-tile${d ? ` rv-${d.action}` : ""}${picked ? " rv-picked" : ""}`
    tile.setAttribute("aria-selected", String(picked))
    tile.tabIndex = i === s.at ? 0 : -1
    const hint = items.suggestion[k] ? `${items.suggestion[k]}?` : ""
    const value = s.sort === "outlier" ? items.outlier[k] : items.score[k]
    caption.replaceChildren(make("b", {text: named(items.label[k])}),
      ...(hint && !d ? [make("span", {class: "rv-soft", text: hint})] : []),
      ...(value != null && !d ? [make("span", {class: "rv-soft rv-value", text: Number(value).toFixed(2)})] : []),
      ...(d ? [make("span", {class: "rv-mark", text: outcome(d)})] : []))
    const told = [items.path[k], named(items.label[k]), hint && `suggested ${items.suggestion[k]}`,
      d && (d.action === "relabel" ? `relabelled as ${d.label}` : DONE[d.action])]
    tile.setAttribute("aria-label", told.filter(Boolean).join(", "))
    tile.title = items.path[k]
  }

  function show(picture, kind, k) {
    picture.classList.add("rv-loading")
    host.picture(kind, k).then(found => {
      picture.classList.remove("rv-loading")
      if (found.error) picture.replaceWith(make("span", {class: "rv-unread", text: `unreadable: ${found.error}`}))
      else picture.src = found.url
    }, () => {})
  }

  function draw() {
    host.forget?.()
    tiles = page().map(tileFor)
    grid.replaceChildren(...tiles.map(t => t.tile))
    if (!tiles.length) grid.replaceChildren(make("p", {class: "rv-soft", text: n ? "Nothing here: choose another "
      + "label, or show all." : "There is nothing to review."}))
    refresh()
  }

  function refresh() {
    tiles.forEach(mark)
    counts()
    previous.disabled = s.page === 0
    next.disabled = s.page >= pages() - 1
    pager.hidden = s.large || s.view.length <= PER_PAGE
    where.textContent = `page ${s.page + 1} of ${pages()}, ${s.view.length} images`
    suggest.disabled = !chosen().some(k => items.suggestion[k])
    if (s.large) drawLarge()
    tell()
  }

  function turn(by) {
    const to = s.page + by
    if (to < 0 || to >= pages()) return
    s.page = to
    s.at = s.anchor = 0
    s.selected.clear()
    draw()
    focusTile()
  }

  // -- moving and selecting --

  function focusTile() { if (!s.large) tiles[s.at]?.tile.focus({preventScroll: false}) }
  function place(i) { s.at = s.anchor = i; refresh(); focusTile() }
  function toggle(i) {
    const k = page()[i]
    s.selected.has(k) ? s.selected.delete(k) : s.selected.add(k)
  }
  function range(i) {
    s.selected = new Set(page().slice(Math.min(s.anchor, i), Math.max(s.anchor, i) + 1))
    s.at = i
    refresh()
    focusTile()
  }
  function click(e, i) {
    if (e.shiftKey) return range(i)
    if (e.ctrlKey || e.metaKey) toggle(i)
    else s.selected = new Set([page()[i]])
    place(i)
  }
  function move(by, extend = false) {
    const to = s.at + by
    if (extend && !s.large) return to >= 0 && to < tiles.length ? range(to) : undefined
    if (to >= 0 && to < tiles.length) { s.at = s.anchor = to; s.selected.clear() }
    else if (s.large && by === 1 && s.page < pages() - 1) return turn(1)
    else if (s.large && by === -1 && s.page > 0) { turn(-1); s.at = tiles.length - 1 }
    refresh()
    focusTile()
  }
  function perRow() {
    const top = tiles[0]?.tile.offsetTop
    const first = tiles.findIndex(t => t.tile.offsetTop !== top)
    return first < 0 ? Math.max(1, tiles.length) : first
  }

  // -- one image, large --

  function enlarge(on) {
    s.large = on && tiles.length > 0
    large.hidden = !s.large
    grid.hidden = s.large
    s.selected.clear()
    shown = null
    refresh()
    s.large ? large.querySelector(".rv-frame").focus() : focusTile()
  }

  function drawLarge() {
    const k = page()[s.at]
    if (k == null) return enlarge(false)
    const d = decided(k), around = data.boxes[items.image[k]] ?? [], hasMap = data.maps.includes(items.image[k])
    if (shown !== k) {
      const focused = large.contains(document.activeElement)
      const frame = make("div", {class: "rv-frame", tabindex: 0, role: "img", "aria-label": items.path[k]})
      const picture = make("img", {alt: "", class: "rv-whole"})
      frame.append(picture)
      const line = make("div", {class: "rv-line"}, button("‹", "←", () => move(-1)),
        button("›", "→", () => move(1)), button("Grid", "Esc", () => enlarge(false)))
      if (around.length) line.append(button("Boxes", "B", () => { s.boxes = !s.boxes; refresh() }, "rv-boxes"))
      if (hasMap) line.append(button("Map", "C", () => { s.map = !s.map; refresh() }, "rv-maps"))
      large.replaceChildren(line, make("p", {class: "rv-about"}), frame)
      shown = k
      host.picture("large", k).then(found => {
        if (shown !== k) return
        if (found.error) return picture.replaceWith(make("p", {class: "rv-unread",
          text: `unreadable: ${found.error}`}))
        picture.src = found.url
        frame.style.aspectRatio = `${found.width} / ${found.height}`
        frame.style.setProperty("--ratio", found.width/found.height)
        for (const b of around) frame.append(outline(b, found, items.box[k]))
      }, () => {})
      if (hasMap) host.picture("map", k).then(found => {
        if (shown === k && !found.error) picture.after(make("img", {alt: "", class: "rv-map", src: found.url}))
      }, () => {})
      if (focused) frame.focus()
    }
    large.querySelector(".rv-boxes")?.setAttribute("aria-pressed", String(s.boxes))
    large.querySelector(".rv-maps")?.setAttribute("aria-pressed", String(s.map))
    large.classList.toggle("rv-nobox", !s.boxes)
    large.classList.toggle("rv-nomap", !s.map)
    const about = large.querySelector(".rv-about")
    about.replaceChildren(make("b", {text: named(items.label[k])}),
      make("span", {class: `rv-mark${d ? ` rv-${d.action}` : ""}`,
        text: outcome(d) || "undecided"}),
      ...(items.suggestion[k] ? [make("span", {text: `suggested: ${items.suggestion[k]}`})] : []),
      ...(items.score[k] != null ? [make("span", {text: `score ${Number(items.score[k]).toFixed(3)}`})] : []),
      make("span", {class: "rv-soft", text: `${items.path[k]} · ${s.page*PER_PAGE + s.at + 1} of ${s.view.length}`}))
  }

  function outline([x0, y0, x1, y1, label, score], size, own) {
    const mine = own && [x0, y0, x1, y1].every((v, i) => Math.abs(v - own[i]) < .01)
    const box = make("span", {class: `rv-box${mine ? " rv-mine" : ""}`}, make("span", {class: "rv-tag",
      text: score == null ? label : `${label} ${score.toFixed(2)}`}))
    const {width: w, height: h} = size
    Object.assign(box.style, {left: `${100*x0/w}%`, top: `${100*y0/h}%`, width: `${100*(x1 - x0)/w}%`,
      height: `${100*(y1 - y0)/h}%`})
    box.style.setProperty("--color", data.colors[label] ?? "#fff")
    return box
  }

  // -- keys --

  root.addEventListener("keydown", e => {
    const inField = e.target.matches("input, select, textarea")
    const onButton = e.target.matches("button, summary")
    if (inField || e.altKey || onButton && [" ", "Enter"].includes(e.key)) return
    const key = e.key.length === 1 ? e.key.toLowerCase() : e.key, command = e.ctrlKey || e.metaKey
    const digit = /^[1-9]$/.test(key) ? data.classes[Number(key) - 1] : null
    const act = command ? {z: undo, a: () => { s.selected = new Set(page()); refresh() }}[key]
      : digit && !e.shiftKey ? () => decide("relabel", digit)
      : {a: () => decide("accept"), r: () => decide("reject"), s: () => decide("relabel", "suggestion"), u: undo,
        ArrowRight: () => move(1, e.shiftKey), ArrowLeft: () => move(-1, e.shiftKey),
        ArrowDown: () => s.large || move(Math.min(perRow(), tiles.length - 1 - s.at), e.shiftKey),
        ArrowUp: () => s.large || move(-Math.min(perRow(), s.at), e.shiftKey),
        " ": () => { if (!s.large) { toggle(s.at); refresh() } }, Enter: () => enlarge(!s.large),
        Escape: () => { if (s.large) enlarge(false); else { s.selected.clear(); refresh() } },
        "[": () => turn(-1), "]": () => turn(1), PageUp: () => turn(-1), PageDown: () => turn(1),
        m: data.vectors ? () => sortBy("like") : null, b: () => { s.boxes = !s.boxes; refresh() },
        c: () => { s.map = !s.map; refresh() }, "?": () => { help.open = !help.open }}[key]
    if (!act) return
    e.preventDefault()
    e.stopPropagation()
    act()
  })

  sortSelect.value = s.sort
  layOut()
  return {take: made => { take(made); refresh() }}
}

// ---- in a notebook: Python keeps decisions and makes pictures ----

function render({model, el}) {
  const asked = new Map(), queue = [], urls = new Map()
  let busy = 0, number = 0, panel = null
  const ask = content => new Promise((done, failed) => {
    asked.set(++number, {done, failed})
    model.send({...content, n: number, view})
  })
  const view = token()
  function pump() {
    while (busy < AT_ONCE && queue.length) {
      const {kind, k, done, failed} = queue.shift()
      busy++
      ask({type: "picture", kind, k}).then(done, failed).finally(() => { busy--; pump() })
    }
  }
  function remember(name, found) {
    urls.set(name, found)
    if (urls.size <= 1000) return
    const [oldest, {url}] = urls.entries().next().value
    urls.delete(oldest)
    URL.revokeObjectURL(url)
  }
  const picture = (kind, k) => {
    const name = `${kind} ${k}`
    if (urls.has(name)) return Promise.resolve(urls.get(name))
    return new Promise((done, failed) => { queue.push({kind, k, done, failed}); pump() }).then(found => {
      if (!found.error) remember(name, found)
      return found
    })
  }
  const forget = () => { for (const {failed} of queue.splice(0)) failed(new Error("no longer shown")) }
  const receive = (content, buffers) => {
    if (content.type === "taken") { if (content.view !== view) panel?.take(content.entries); return }
    if (content.view !== view || !asked.has(content.n)) return
    const {done, failed} = asked.get(content.n)
    asked.delete(content.n)
    if (content.type === "failed") return failed(new Error(content.why))
    if (content.type === "picture" && !content.error)
      content.url = URL.createObjectURL(new Blob([buffers[0]], {type: content.mime}))
    if (content.type === "data" && content.data.vectors) {
      const b = buffers[0]
      content.data.vectors.values = new Int8Array(b.buffer ?? b, b.byteOffset ?? 0, b.byteLength)
    }
    done(content)
  }
  model.on("msg:custom", receive)
  el.textContent = "The panel opens when its kernel answers …"
  ask({type: "ready"}).then(({data}) => {
    const keep = entries => ask({type: "entries", entries})
    panel = createPanel(el, {data, entries: data.entries, picture, forget, keep, kept: data.kept})
  })
  return () => {
    model.off("msg:custom", receive)
    for (const {url} of urls.values()) URL.revokeObjectURL(url)
  }
}

// ---- a page without a notebook: the browser keeps decisions, a button saves them ----

function startPage(root, data) { // eslint-disable-line no-unused-vars -- the page calls it
  const prefix = `ocean-fastai review ${data.id} `
  const entries = [], session = token()
  let store = null, number = 0
  try {
    store = window.localStorage
    const own = Object.keys(store).filter(key => key.startsWith(prefix) && key !== prefix + "name")
    for (const key of own.sort()) entries.push(...JSON.parse(store.getItem(key)))
    data.annotator ||= store.getItem(prefix + "name") ?? ""
  } catch { store = null }
  if (data.vectors) data.vectors.values = Int8Array.from(atob(data.vectors.base64), c => c.charCodeAt(0) << 24 >> 24)
  const place = (kind, k) => kind === "thumb" ? `thumbs/${k}.jpg` : kind === "map" ? `maps/${data.items.image[k]}.png`
    : `images/${data.items.image[k]}.jpg`
  const picture = async (kind, k) => {
    const image = data.items.image[k], [width, height] = data.sizes[image]
    return data.errors[image] ? {error: data.errors[image]} : {url: place(kind, k), width, height}
  }
  const keep = async made => {
    if (!store) throw new Error("this browser keeps nothing for this page; save the CSV before you close it")
    store.setItem(`${prefix}${Date.now()} ${session} ${String(number++).padStart(6, "0")}`, JSON.stringify(made))
  }
  const save = (csv, name) => {
    const link = make("a", {href: URL.createObjectURL(new Blob([csv], {type: "text/csv"})),
      download: `decisions-${data.target}-${name || "nobody"}.csv`.replace(/[^\p{L}\p{N}._-]+/gu, "-")})
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10000)
  }
  const named = name => { try { store?.setItem(prefix + "name", name) } catch { /* the name is asked for again */ } }
  return createPanel(root, {data, entries, picture, keep, save, named, kept: "kept in this browser"})
}

export default {render}
