"""Lessons in a browser: JupyterLab, Run All Cells, no error, formulas, sliders that move images.

The first lesson always; all of them, with a table of seconds, by `pytest -m every_lesson
tests/test_browser.py`. COURSE_SCREENSHOTS=FOLDER keeps an image of every slider and of what went
wrong.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import nbformat
import psutil
import pytest
from environment import interpreter, readers_prefix

from course_tools.lessons import lessons

ROOT = pathlib.Path(__file__).resolve().parent.parent
LESSONS = [file.relative_to(ROOT).as_posix() for file in lessons()]
NAMES = ["chromium", "chromium-browser", "google-chrome"]
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
DRIVER = shutil.which("chromedriver")
TOKEN = "course"
PATIENCE = 5  # a busy machine may take so many times longer than we wait on an idle one
SETTINGS = {  # cells outside the window are drawn too; no questions, no requests to the outside
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


FLAGS = ["headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"]
FLAGS += ["disable-dev-shm-usage", "disable-background-networking", "disable-component-update"]
FLAGS += ["disable-sync", "no-proxy-server", "window-size=1400,1000"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """A JupyterLab as `make lab` starts it, on a folder; ended with all its children."""

    def __init__(self, folder: pathlib.Path, port: int, home: pathlib.Path):
        for name, setting in SETTINGS.items():
            file = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(setting))
        environment = {k: v for k, v in os.environ.items() if k != "COURSE_WIDGETS"}
        environment |= {
            "JUPYTER_PREFER_ENV_PATH": "1",
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "IPYTHONDIR": str(home / "ipython"),
        }
        command = [interpreter(readers_prefix()), "-m", "jupyterlab", "--ServerApp.root_dir=."]
        command += ["--no-browser", "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb"]
        command += [f"--IdentityProvider.token={TOKEN}", f"--port={port}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        self.folder, self.log, self.runtime = folder, home / "log", home / "runtime"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log
            )

    def address(self, seconds: float = 60) -> str:
        """Where the server answers; waits until it does."""
        end = time.monotonic() + PATIENCE * seconds
        while time.monotonic() < end and self.process.poll() is None:
            for file in self.runtime.glob("jpserver-*.json"):
                try:
                    url = json.loads(file.read_text())["url"]
                    with direct(f"{url}api/status?token={TOKEN}"):
                        return url
                except (ValueError, OSError):  # still being written; not listening yet
                    pass
            time.sleep(0.1)
        raise AssertionError("JupyterLab does not answer:\n" + self.log.read_text(errors="replace"))

    def close(self) -> None:
        """End the server and its kernels."""
        if self.process.poll() is None:
            server = psutil.Process(self.process.pid)
            family = [*server.children(recursive=True), server]
            server.terminate()
            for process in psutil.wait_procs(family, timeout=10)[1]:
                process.kill()


def direct(url: str):
    """Open a local address past any proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10)


@pytest.fixture
def lab(tmp_path):
    """Starts servers on a copy of the notebooks; the tree itself stays as it is."""
    started = []
    folder = tmp_path / "course"
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("notebooks", "course_utils", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)

    def start(port: int) -> Lab:
        started.append(Lab(folder, port, tmp_path / f"home{len(started)}"))
        return started[-1]

    yield start
    for server in started:
        server.close()
    shutil.rmtree(folder)  # 200 MB of data


def test_a_lab_answers_and_a_second_one_takes_the_next_port(lab):
    port = free_port()
    first = lab(port).address()
    assert f":{port}/" in first
    second = lab(port)
    address = second.address()
    assert address != first and f"port {port} is already in use" in second.log.read_text()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        direct(f"{address}api/contents").close()  # without the token


@pytest.fixture
def browser(tmp_path):
    """A headless Chromium with a profile of its own."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the extra `browser`")
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium or its chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"user-data-dir={tmp_path / 'chromium'}"]:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def found(driver, condition: str, seconds: float):
    """Wait until the JavaScript expression is true; its value, or None when the time is over."""
    end = time.monotonic() + PATIENCE * seconds
    while time.monotonic() < end:
        if value := driver.execute_script(f"return {condition}"):
            return value
        time.sleep(0.2)
    return None


def wait_for(driver, condition: str, seconds: float) -> None:
    """Wait until the JavaScript expression is true. AssertionError when the time is over."""
    if not found(driver, condition, seconds):
        screenshot(driver, "waiting")
        raise AssertionError(f"waited {PATIENCE * seconds} s in vain for: {condition}")


def screenshot(driver, name: str) -> None:
    """Keep what the window shows, where it is asked for."""
    if folder := os.environ.get("COURSE_SCREENSHOTS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(str(pathlib.Path(folder) / f"{name}.png"))


def click(driver, menu: str, item: str) -> None:
    """Choose an item of JupyterLab's menu bar."""
    from selenium.webdriver.common.by import By

    bar = f'//li[contains(@class,"lm-MenuBar-item")][.//div[text()="{menu}"]]'
    driver.find_element(By.XPATH, bar).click()
    path = f'//li[contains(@class,"lm-Menu-item")][.//div[text()="{item}"]]'
    wait_for(driver, f"document.evaluate('{path}', document).iterateNext()", 60)
    driver.find_element(By.XPATH, path).click()


PROMPTS = """[...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')].map(
    prompt => prompt.textContent.trim())"""
STATUS = "document.querySelector('#jp-main-statusbar')?.innerText"
IDLE = f"/Python 3 .*Idle/.test({STATUS})"  # not: Connecting
ERRORS = """[...document.querySelectorAll('.jp-OutputArea-output')].filter(output =>
    output.dataset.mimeType === 'application/vnd.jupyter.error' ||
    output.dataset.mimeType === 'application/vnd.jupyter.stderr' &&
        /Traceback|Warning|Error/.test(output.innerText)
).map(output => output.innerText)"""
SLIDERS = """[...document.querySelectorAll('.jp-OutputArea-output .widget-vbox')].filter(box =>
    box.querySelector('.noUi-handle') &&
    box.querySelector('img')?.getBoundingClientRect().width > 50)"""
PIXELS = """(img => { const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
    canvas.getContext('2d').drawImage(img, 0, 0); return canvas.toDataURL() })"""
STRETCHED = """[...document.querySelectorAll('.jupyter-widgets img')].filter(img =>
    img.complete && Math.abs(img.getBoundingClientRect().width - img.naturalWidth) > 1)"""
FORMULAS = "[...document.querySelectorAll('.jp-RenderedMarkdown mjx-container')]"
UNREADABLE = """[...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(
    formula => formula.textContent)"""


def run_all(browser, server: Lab, path: str, limit: float = 180):
    """Clear the outputs of a notebook, Run All Cells; its prompts and errors, and the seconds."""
    cells = json.loads((server.folder / path).read_text(encoding="utf-8"))["cells"]
    codes = sum(cell["cell_type"] == "code" for cell in cells)
    browser.get(f"{server.address()}lab/tree/{path}?token={TOKEN}")
    wait_for(browser, f"{PROMPTS}.length === {codes}", 60)
    wait_for(browser, IDLE, 60)
    click(browser, "View", "Expand All Code")  # a folded cell shows no number
    click(browser, "Edit", "Clear Outputs of All Cells")
    wait_for(browser, f"{PROMPTS}.every(prompt => prompt === '[ ]:')", 60)
    begin = time.monotonic()
    click(browser, "Run", "Run All Cells")
    wait_for(browser, f"{ERRORS}.length || {PROMPTS}.every(prompt => /\\d/.test(prompt))", limit)
    wait_for(browser, IDLE, 30)
    seconds = time.monotonic() - begin
    return *browser.execute_script(f"return [{PROMPTS}, {ERRORS}]"), seconds


def moves(browser, number: int, seconds: float = 20) -> bool:
    """Whether an arrow key on the handle of this slider changes the pixels of its image."""
    from selenium.webdriver.common.keys import Keys

    box = f"{SLIDERS}[{number}]"
    pixels = f"{PIXELS}({box}.querySelector('img'))"
    wait_for(browser, f"{box}.querySelector('img').complete", 10)
    before = browser.execute_script(f"{box}.scrollIntoView({{block: 'center'}}); return {pixels}")
    handle = browser.execute_script(f"return {box}.querySelector('.noUi-handle')")
    last = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    handle.send_keys(Keys.ARROW_LEFT if last else Keys.ARROW_RIGHT)
    moved = f"{box}.querySelector('img').complete && {pixels} !== {json.dumps(before)}"
    return bool(found(browser, moved, seconds))


def passes(browser, server: Lab, path: str, limit: float = 180) -> tuple[float, int]:
    """Run All of a lesson, with what a reader expects to see; its seconds, how many sliders."""
    prompts, errors, seconds = run_all(browser, server, path, limit)
    assert errors == []
    assert prompts == [f"[{number}]:" for number in range(1, len(prompts) + 1)]
    wait_for(browser, f"{FORMULAS}.length", 30)
    assert browser.execute_script(f"return {UNREADABLE}") == []
    wait_for(browser, f"!{STRETCHED}.length", 30)
    name = pathlib.Path(path).stem
    sliders = browser.execute_script(f"return {SLIDERS}.length")
    for number in range(sliders):
        assert moves(browser, number), f"{name}: slider {number + 1} of {sliders} moves nothing"
        screenshot(browser, f"{name}_{number + 1}")
    return seconds, sliders


def test_run_all_in_a_browser_gives_no_error_and_draws_formulas_and_sliders_that_move(lab, browser):
    _, sliders = passes(browser, lab(free_port()), LESSONS[1])
    assert sliders


@pytest.fixture(scope="module")
def table(request):
    """Rows (notebook, seconds, sliders), printed at the end."""
    rows = []
    yield rows
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\n{'Run All in JupyterLab':<44} {'seconds':>8} {'sliders':>8}")
        for name, seconds, sliders in rows:
            print(f"{name:<44} {seconds:>8.0f} {sliders:>8}")


@pytest.mark.every_lesson
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: pathlib.Path(path).stem)
def test_every_lesson_runs_in_a_browser_and_its_sliders_move(lab, browser, table, path):
    name = pathlib.Path(path).stem
    seconds, sliders = passes(browser, lab(free_port()), path, limit=600)
    table.append((name, seconds, sliders))
    assert sliders or not "01" <= name[:2] <= "12", f"{name} has no slider"


def faulty(server: Lab, source: str) -> str:
    """Write a notebook of this one cell; its path."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata=kernel)
    nbformat.write(notebook, server.folder / "notebooks" / "faulty.ipynb")
    return "notebooks/faulty.ipynb"


@pytest.mark.parametrize(
    "source, message",
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings; warnings.warn('it is old')", "it is old"),
    ],
)
def test_an_error_in_a_cell_would_be_seen(lab, browser, source, message):
    server = lab(free_port())
    _, errors, _ = run_all(browser, server, faulty(server, source))
    assert len(errors) == 1 and message in errors[0]
    assert not browser.execute_script(f"return {SLIDERS}.length + {FORMULAS}.length")


UNMOVED = """import io, ipywidgets, PIL.Image
file = io.BytesIO()
PIL.Image.new("L", (90, 90)).save(file, "PNG")
picture = ipywidgets.Image(value=file.getvalue())
ipywidgets.VBox([ipywidgets.SelectionSlider(options=["a", "b"]), picture])"""


@pytest.mark.every_lesson
def test_a_slider_that_moves_nothing_would_be_seen(lab, browser):
    server = lab(free_port())
    _, errors, _ = run_all(browser, server, faulty(server, UNMOVED))
    assert errors == []
    wait_for(browser, f"{SLIDERS}.length === 1", 30)
    assert not moves(browser, 0, seconds=5)
