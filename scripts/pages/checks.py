"""What a page of a run must do in a browser: each check says what is wrong, or nothing."""

from pathlib import Path

from .browser import Browser, Broken

# Seconds of processor time in which search and click answer.
QUICK = 2.0


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


def read_without_scripts(browser: Browser, page: Path) -> None:
    browser.open(page, scripts=False)
    tree = browser.ask("DOM.getDocument", depth=1)["root"]["nodeId"]

    def count(selector: str) -> int:
        return len(browser.ask("DOM.querySelectorAll", nodeId=tree, selector=selector)["nodeIds"])

    must(count("#findings") == 1 and count("#tensors tbody tr") > 0, "without scripts nothing is there to read")
    must(count("th button") == 0 and count("svg.graph .n") > 0, "without scripts the graph is not drawn")


def counts(browser: Browser) -> tuple:
    return tuple(browser.run("return [document.querySelectorAll('#tensors tbody tr').length, document.querySelectorAll('svg.graph .n').length]"))


def sorts(browser: Browser) -> None:
    column = (
        "const table = document.querySelector('#tensors table'); const heads = [...table.querySelectorAll('th')];"
        " const at = heads.findIndex(h => h.textContent.startsWith('accumulated')); const click = () => heads[at].querySelector('button').click();"
        " const shown = () => [...table.tBodies[0].rows].map(r => r.cells[at].textContent).filter(t => t).map(t => t === 'inf' ? Infinity : Number(t)).filter(v => !Number.isNaN(v));"
    )
    down = browser.run(column + "click(); return [heads[at].getAttribute('aria-sort'), shown().every((v, i, a) => i === 0 || a[i - 1] >= v)]")
    up = browser.run(column + "click(); return [heads[at].getAttribute('aria-sort'), shown().every((v, i, a) => i === 0 || a[i - 1] <= v)]")
    must(down == ["descending", True] and up == ["ascending", True], f"a click on a head does not sort: {down} {up}")


def filters(browser: Browser) -> None:
    typed = (
        "const input = document.querySelector('#tensors input'); const type = w => { input.value = w; input.dispatchEvent(new Event('input')); };"
        " const shown = () => [...document.querySelectorAll('#tensors tbody tr')].filter(r => !r.hidden).length;"
        " const all = shown(); const first = document.querySelector('#tensors tbody tr').cells[0].textContent;"
    )
    found = browser.run(typed + "type(first); const some = shown(); type('no such tensor at all'); const none = shown(); type(''); return [all, some, none, shown()]")
    must(1 <= found[1] <= found[0] and found[2] == 0 and found[3] == found[0], f"a word does not filter: {found}")


def zooms(browser: Browser) -> None:
    box = browser.box("svg.graph")
    top = browser.run("return document.querySelector('svg.graph').getBoundingClientRect().top")
    x, y = box["x"] + box["width"] / 2, top + box["height"] / 2
    width = "return document.querySelector('svg.graph').viewBox.baseVal.width"
    before = browser.run(width)
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-240)
    # The wheel is handled before the next frame.
    browser.run("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    nearer = browser.run(width)
    browser.run("[...document.querySelectorAll('#graph-tools button')].find(b => b.textContent === 'whole').click()")
    must(nearer < before, f"the wheel does not zoom: {before} to {nearer}")
    must(browser.run(width) == before, "the whole graph does not come back")


def finds_and_shows(browser: Browser) -> float:
    """Search, then a click, drawn: the seconds of processor time that both take."""
    start = browser.computed()
    said = browser.run(
        "const input = document.getElementById('find'); const name = [...document.querySelectorAll('#tensors tbody tr')].at(-1).cells[0].textContent;"
        " input.value = name; input.dispatchEvent(new Event('input'));"
        " return [document.querySelectorAll('svg.graph .hit').length, document.getElementById('detail').textContent.includes(name)]"
    )
    must(said[0] >= 1 and said[1], f"a word does not find its node: {said}")
    clicked = browser.run(
        "const node = document.querySelector('svg.graph a'); node.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));"
        " const row = document.getElementById(node.getAttribute('href').slice(1));"
        " return [row.classList.contains('at'), document.getElementById('detail').textContent.includes(row.cells[0].textContent)]"
    )
    must(clicked == [True, True], f"a click on a node shows nothing of it: {clicked}")
    browser.run("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return browser.computed() - start


def prints(browser: Browser) -> int:
    paper = browser.printed()
    must(paper.startswith(b"%PDF") and len(paper) > 10_000, f"it prints nothing: {len(paper)} bytes")
    return len(paper)


def is_dark(browser: Browser, page: Path) -> None:
    tones = []
    for dark in (False, True):
        browser.open(page, dark=dark)
        tones.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
    must(tones[0] != tones[1], f"light and dark are alike: {tones}")


def page(browser: Browser, file: Path) -> str:
    """All of it on one page; what was seen, in words."""
    read_without_scripts(browser, file)
    is_dark(browser, file)
    loaded = browser.open(file)
    rows, nodes = counts(browser)
    must(rows > 0 and nodes > 0, f"{rows} rows and {nodes} nodes")
    sorts(browser)
    filters(browser)
    zooms(browser)
    found = finds_and_shows(browser)
    must(found <= QUICK, f"search and click take {found:.2f} s of {QUICK}")
    paper = prints(browser) if nodes <= 5000 else 0
    if browser.complaints:
        raise Broken(f"the console: {browser.complaints[:5]}")
    return f"{rows} rows, {nodes} nodes, loaded in {loaded:.2f} s, found and shown in {found:.2f} s, {paper} bytes printed"
