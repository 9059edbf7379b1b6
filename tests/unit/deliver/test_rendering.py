"""Templates: whatever a name holds, a compiler reads the same bytes, and a page shows the same words."""

import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markdown_it import MarkdownIt
from support import want
from torchship.deliver import cmssw
from torchship.deliver.rendering import cell, cpp_text, float32, render

HOSTILE = ["", '"', "\\", "\\\\n", "??/", "??=", "%s%n", "*/", "//", "\n", "\0", "\x7f", "µ", "日本", "a\u2028b", '")); system("', "R\"(", "0\x001"]  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=60, max_size=100))
def test_a_literal_of_cpp_has_the_bytes_of_its_text(tmp_path, texts):
    compiler = want(shutil.which("g++"), "there is no g++")
    texts = [*HOSTILE, *texts]
    rows = "\n".join(f"  {{{cpp_text(text)}, sizeof({cpp_text(text)}) - 1}}," for text in texts)
    (tmp_path / "main.cpp").write_text(
        "#include <cstdio>\nstruct Row { const char* text; std::size_t size; } rows[] = {\n" + rows + "\n};\n"
        'int main() { for (const auto& row : rows) { for (std::size_t i = 0; i < row.size; ++i) std::printf("%02x", '
        'static_cast<unsigned char>(row.text[i])); std::printf("\\n"); } }\n'
    )
    command = [compiler, "-std=c++17", "-trigraphs", "-Wall", "-Werror", "-Wno-trigraphs", "main.cpp", "-o", "main"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    assert found == [text.encode().hex() for text in texts]


@given(number=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_literal_of_float_is_that_number(number):
    assert float(float32(number).removesuffix("f")) == number


def test_a_cell_of_a_table_stays_one():
    text = f"| a | b |\n|---|---|\n| {cell('x | y')} | z |\n"
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<td>") == 2
    assert "<td>x | y</td>" in html


def test_a_name_that_is_not_given_is_an_error():
    with pytest.raises(UndefinedError, match="'plugin' is undefined"):
        render(cmssw.__file__, "test_BuildFile.xml", package="a/b")
