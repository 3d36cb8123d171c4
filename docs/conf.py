"""Sphinx settings of the website; course_tools.publishing.site stages what it reads (make site)."""

import importlib.util
import inspect
import pathlib
import pkgutil

import course_utils
from course_tools.links import BRANCH, address
from course_utils.files import ROOT

project = "From sparse codes to generated images"
author = "The authors of the course"
copyright = f"{author}. Texts and figures CC BY 4.0, code MIT"
html_title = project
language = "en"
templates_path = ["_templates"]
suppress_warnings = ["myst.header"]  # headings that skip a level are nested rightly anyway

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.linkcode",
    "course_tools.publishing.extension",
]

nb_execution_mode = "off"
nb_output_stderr = "remove"
nb_merge_streams = True
nb_number_source_lines = False
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
autosummary_filename_map = {  # api/session.html, not api/course_utils.session.html
    module.name: module.name.removeprefix("course_utils.")
    for module in pkgutil.walk_packages(course_utils.__path__, "course_utils.")
}
python_display_short_literal_types = True

html_theme = "sphinx_book_theme"
# MathJax as files, from the package (as an extension it forbids parallel reading), without what is
# not used here.
MATHJAX = pathlib.Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static"
mathjax_path = "mathjax/tex-chtml.js"
exclude_patterns = [
    "_templates",
    "mathjax/*svg*",
    "mathjax/*mml-*",
    "mathjax/*full*.js",
    "mathjax/node-main.js",
    "mathjax/output/svg*",
    "mathjax/latest.js",
]
html_static_path = ["_static", str(MATHJAX)]
html_css_files = ["course.css"]
html_favicon = "_static/mark.svg"
html_logo = "_static/mark.svg"
html_copy_source = False
html_use_index = html_domain_indices = False  # the index of the helpers is a page
html_theme_options = {
    "repository_url": address(),
    "repository_branch": BRANCH,
    "launch_buttons": {
        "colab_url": "https://colab.research.google.com",
        "binderhub_url": "https://mybinder.org",
        "notebook_interface": "jupyterlab",
    },
    "use_repository_button": True,
    "use_issues_button": True,
    "use_download_button": False,
    "home_page_in_toc": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "navbar_persistent": [],
    "logo": {"text": project, "alt_text": "The start page of the course"},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def linkcode_resolve(domain: str, info: dict) -> str | None:
    """Where the source of a helper stands in the repository."""
    found = importlib.import_module(info["module"])
    for name in info["fullname"].split("."):
        found = getattr(found, name, None)
    try:
        lines, first = inspect.getsourcelines(inspect.unwrap(found))
        path = pathlib.Path(inspect.getsourcefile(found)).relative_to(ROOT).as_posix()
    except (TypeError, ValueError, OSError):  # a constant, or of another package
        return None
    return f"{address()}/blob/{BRANCH}/{path}#L{first}-L{first + len(lines) - 1}"
