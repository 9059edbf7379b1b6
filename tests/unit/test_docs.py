"""What the documentation names is there: links, files, functions, results."""

import re
from fnmatch import fnmatch

import pytest
from support import PROJECT
from torchship.core.sources import imported_names

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "examples/*.md", "examples/*/*.md", "profiles/*.md")
    for path in PROJECT.glob(pattern)
)
LIBRARY = PROJECT / "scripts" / "torchship"
PACKAGES = {path.name for path in LIBRARY.iterdir() if path.is_dir() and not path.name.startswith("_")}
# Folders of the project; models/ is where users put their own.
FOLDERS = {"rules", "scripts", "schemas", "envs", "profiles", "tests", "tools", "docs", "examples", "report"}
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
CODE = re.compile(r"`([^`\n]+)`")
# A file of the library, and what is said to be in it.
NAMED = re.compile(r"`([\w/.]+\.(?:py|smk))`(?: \(|: )((?:`\w+`(?:, )?)+)")


def anchors(page):
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {target}#{anchor}"


def found(path):
    """Return the project's or the library's file of a name, None where there is none."""
    return next((place / path for place in (PROJECT, LIBRARY) if (place / path).exists()), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_paths_of_the_project_exist(page):
    for code in CODE.findall(page.read_text()):
        first = code.partition("/")[0]
        if "/" in code and first in FOLDERS and not re.search(r"[\s<>*…=]", code):
            assert found(code), f"{page.name}: {code}"


def test_the_map_names_files_that_exist_and_what_is_in_them():
    text = (PROJECT / "docs" / "map.md").read_text()
    paths = {code for code in CODE.findall(text) if re.fullmatch(r"[\w/.-]+\.(py|smk|yaml)", code) and "/" in code}
    assert len(paths) > 80
    assert sorted(path for path in paths if not found(path)) == []
    for path, names in NAMED.findall(text):
        for name in re.findall(r"\w+", names):
            definition = rf"^ *(?:def|class) {name}\b|^ *{name}\b.*[=:] ?"
            assert re.search(definition, found(path).read_text(), re.MULTILINE), f"{path}: {name}"


def test_the_map_names_every_package_and_every_file_of_rules():
    text = (PROJECT / "docs" / "map.md").read_text()
    assert sorted(name for name in PACKAGES if f"| `{name}/` |" not in text) == []
    assert sorted(path.name for path in (PROJECT / "rules").glob("*.smk") if f"`rules/{path.name}`" not in text) == []


def test_the_map_says_which_package_imports_which():
    rows = re.findall(r"^\| `(\w+)/` \| .* \| (.*) \|$", (PROJECT / "docs" / "map.md").read_text(), re.MULTILINE)
    told_of = {name: {path.partition("/")[0] for path in CODE.findall(cell)} for name, cell in rows}
    imported = {name: set() for name in PACKAGES}
    for name in PACKAGES:
        for file in (LIBRARY / name).rglob("*.py"):
            parts = (full.split(".") for full in imported_names(file))
            imported[name] |= {part[1] for part in parts if part[0] == "torchship" and len(part) > 1}
    assert told_of == {name: found - {name, "core"} for name, found in imported.items()}


# What a step keeps beside its outputs, and where that is said.
KEPT = {"xor/validate/cmssw_14_2/.worst.safetensors": "scripts/validate_target.py"}


def outputs():
    """Return the outputs of all rules, of the run xor."""
    texts = [
        path.read_text().replace("{ARCHIVE}", "<results>/archive/torchship")
        for path in (PROJECT / "rules").glob("*.smk")
    ]
    written = {path for text in texts for path in re.findall(r'"<(?:results|logs)>/([^"]+)"', text)}
    written |= {path for path, script in KEPT.items() if path.rpartition("/")[2] in (PROJECT / script).read_text()}
    names = {"run": "xor", "target": "cmssw_14_2", "candidate": "only"}
    for name, value in names.items():
        written = {path.replace(f"{{{name}}}", value) for path in written}
    return written


def told(path):
    """Return a path of the documentation as one of the run xor."""
    for name, value in {
        "<run>": "xor",
        "<target>": "cmssw_14_2",
        "<candidate>": "only",
        "blobs/": "xor/",
        "jets/": "xor/",
    }.items():
        path = path.replace(name, value)
    # The record of a file is beside it.
    return re.sub(r"candidates/[^/]+", "candidates/only", path).replace("/.sha256/", "/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_results_that_are_told_of_are_made(page):
    for path in re.findall(r"\b(?:results|logs)/([\w<>./*+=-]*[\w>*/])", page.read_text()):
        wanted = told(path)
        made = [
            output for output in outputs() if fnmatch(output, wanted) or output.startswith(wanted.rstrip("/") + "/")
        ]
        assert made, f"{page.name}: {path}"


def test_the_table_of_the_readme_has_what_the_rules_make():
    text = (PROJECT / "README.md").read_text()
    cells = re.findall(r"^\| `\w+` \| (.*?) \|", text, re.MULTILINE)
    assert len(cells) == 11
    for cell in cells:
        folder = ""
        for name in CODE.findall(cell):
            if "/" in name:
                folder = name.rpartition("/")[0] + "/"
            path = told(name if "/" in name else folder + name)
            if "." in name and " " not in name:
                assert [output for output in outputs() if fnmatch(output, path)], path
