"""What the documentation names is there: links, files, functions, results."""

import ast
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
# Pages that name the files of the library without the folder that it is in.
OF_CODE = [PROJECT / "docs" / name for name in ("map.md", "glossary.md")]
# A file, and what is said to be in it: "`file` (`name`, `name`; words)" or "`file`: `name`".
FILE = r"`([\w/.-]+\.(?:py|smk|yaml))`"
IN_IT = r"(?: \(([^()]*)\)|: ((?:`\w+`(?:, )?)+))"
NAMED = re.compile(FILE + IN_IT)
# Who calls whom: "`file` (`name`) → `file` (`name`)".
CALLS = re.compile(rf"(?={FILE}{IN_IT}? → {FILE}{IN_IT}?)")


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


def names_in(*texts):
    """Return the names in backticks of some texts, which may be None; paths are none."""
    return [name for text in texts if text for name in CODE.findall(text) if re.fullmatch(r"\w+", name)]


def function_text(file, name):
    """Return the text of a function or class, at any depth of a Python file."""
    text = file.read_text()
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds) and node.name == name]
    assert found, f"{file}: {name}"
    return ast.get_source_segment(text, found[0])


@pytest.mark.parametrize(("page", "least"), [(OF_CODE[0], 120), (OF_CODE[1], 35)], ids=["map", "glossary"])
def test_files_of_the_code_that_are_named_exist_and_have_in_them_what_is_said(page, least):
    text = page.read_text()
    paths = {code for code in CODE.findall(text) if re.fullmatch(r"[\w/.-]+\.(py|smk|yaml)", code) and "/" in code}
    assert len(paths) > least
    assert sorted(path for path in paths if not found(path)) == []
    for path, *texts in NAMED.findall(text):
        for name in names_in(*texts):
            definition = rf"^ *(?:def|class) {name}\b|^ *{name}\b.*[=:] ?"
            assert re.search(definition, found(path).read_text(), re.MULTILINE), f"{path}: {name}"


def test_who_is_said_to_call_whom_does():
    text = (PROJECT / "docs" / "map.md").read_text().replace("\n", " ")
    calls = CALLS.findall(text)
    assert len(calls) == text.count("→") > 5
    for caller, inside, colon, called, *what in calls:
        dotted = "torchship." + called.removesuffix(".py").replace("/", ".")
        imported = imported_names(found(caller))
        for name in names_in(*what) or [""]:
            assert f"{dotted}.{name}".rstrip(".") in imported, f"{caller}: {called} {name}"
            for function in names_in(inside, colon):
                assert re.search(rf"\b{name}\b", function_text(found(caller), function)), f"{caller}: {function} {name}"


def test_the_map_says_which_files_of_rules_import_the_library():
    importing = {
        f"rules/{path.name}"
        for path in (PROJECT / "rules").glob("*.smk")
        if re.search(r"^(?:from|import) torchship\b", path.read_text(), re.MULTILINE)
    }
    sentence = re.search(r"The modules that (.*?) import ", (PROJECT / "docs" / "map.md").read_text(), re.DOTALL)
    assert set(CODE.findall(sentence[1])) == importing


def test_the_map_names_every_folder_of_tests():
    text = (PROJECT / "docs" / "map.md").read_text()
    folders = sorted(path.name for path in (PROJECT / "tests").iterdir() if path.is_dir() and path.name[0] not in "_.")
    assert [name for name in folders if f"| `tests/{name}/` |" not in text] == []


def test_the_glossary_has_each_word_once_and_in_one_place():
    rows = re.findall(r"^\| ([\w -]+) \| .* \| (.*) \|$", (PROJECT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word for word, _ in rows][1:]
    assert len(words) == len(set(words)) > 40


def test_messages_of_the_chain_are_quoted_as_they_are_said():
    # Texts that are put together of several lines.
    said = re.sub(r'"\s+f?"', "", (LIBRARY / "core" / "chain.py").read_text())
    quoted = re.findall(r"^\| `(… [^`]*)` \|", (PROJECT / "docs" / "archive.md").read_text(), re.MULTILINE)
    assert len(quoted) == 2
    for message in quoted:
        # Between dots are paths and checksums.
        for part in message.split("…"):
            words = re.sub(r"\b[0-9a-f]{4}$", "", part).strip(" ,;")
            assert words in said, words


def test_the_map_names_every_package_and_every_file_of_rules():
    text = (PROJECT / "docs" / "map.md").read_text()
    assert sorted(name for name in PACKAGES if f"| `{name}/` |" not in text) == []
    assert sorted(path.name for path in (PROJECT / "rules").glob("*.smk") if f"`rules/{path.name}`" not in text) == []


def test_the_map_says_which_package_imports_which():
    rows = re.findall(r"^\| `(\w+)/` \| .* \| (.*) \|$", (PROJECT / "docs" / "map.md").read_text(), re.MULTILINE)
    told_of = {name: {path.removesuffix("/") for path in CODE.findall(cell)} for name, cell in rows}
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
    assert len(cells) == 12
    for cell in cells:
        folder = ""
        for name in CODE.findall(cell):
            if "/" in name:
                folder = name.rpartition("/")[0] + "/"
            path = told(name if "/" in name else folder + name)
            if "." in name and " " not in name:
                assert [output for output in outputs() if fnmatch(output, path)], path
