#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of STYLE.md that a machine can check, one function each.

check_style.py RULE   prints every violation as path:line: what, and exits 1 if there is any
check_style.py        runs all rules
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEVELS = ("base", "wire", "trusted", "isolated", "outside")
MAY_INCLUDE = {
    "base": ("base",),
    "wire": ("base", "wire"),
    "trusted": ("base", "wire", "trusted"),
    "isolated": ("base", "wire", "isolated"),
    "outside": ("base", "wire", "outside"),
    "tests": LEVELS + ("tests",),
    "examples": ("base", "wire", "isolated", "outside"),
    "tools": (),
}


def tracked(*suffixes):
    """Files that git knows or would add, so that build outputs are never looked at."""
    listing = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"],
                             cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in sorted(listing.splitlines()):
        path = ROOT / name
        if path.is_file() and (not suffixes or path.suffix in suffixes):
            yield path


def lines_of(path):
    return path.read_text(errors="replace").splitlines()


def sources():
    return tracked(".h", ".cc")


def rule_spdx_line_first():
    for path in tracked(".h", ".cc", ".py", ".sh", ".cmake"):
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines_of(path)[:2]):
            yield path, 1, "does not start with the SPDX line"


def rule_headers_open_with_pragma_once():
    for path in tracked(".h"):
        if "#pragma once" not in lines_of(path)[:3]:
            yield path, 1, "has no '#pragma once' behind the SPDX line"


def public_headers():
    """Headers that some other folder includes."""
    found = set()
    for path in sources():
        folder = path.relative_to(ROOT).parent
        for name in re.findall(r'#include "([^"]+)"', path.read_text()):
            if pathlib.PurePath(name).parent != folder and (ROOT / name).is_file():
                found.add(ROOT / name)
    return sorted(found)


def rule_public_headers_have_four_labels():
    for path in public_headers():
        text = path.read_text()
        if path.relative_to(ROOT).parts[0] == "tests" or not re.search(r"^class \w+ final( :.*)? \{", text, re.M):
            continue
        for label in ("Owns", "Threads", "Trust", "Fails"):
            if not re.search(rf"^//.*\b{label}  +\S", text, re.M):
                yield path, 1, f"defines a class and says nothing about '{label}'"


def rule_files_at_most_600_lines():
    for path in sources():
        count = len(lines_of(path))
        if count > 600:
            yield path, count, f"has {count} lines; a second idea wants a file of its own"


def rule_lines_at_most_100_columns():
    for path in sources():
        for number, line in enumerate(lines_of(path), 1):
            # A path or a hexadecimal constant cannot be broken.
            if len(line) > 100 and not re.search(r'"[^" ]{60,}"|#include', line):
                yield path, number, f"has {len(line)} columns"


def rule_functions_at_most_60_lines():
    for path in sources():
        start = None
        lines = lines_of(path)
        for number, line in enumerate(lines, 1):
            # A function that is one table of data may be as long as the table.
            if any(re.match(r"  static const std::vector<.*= \{", near) for near in lines[number:number + 2]):
                start = None
                continue
            if re.match(r"[A-Za-z_\[].*\{$", line) and not re.match(r"(namespace|class|struct|enum|union|extern|constexpr .*=|const .*=|inline constexpr)", line):
                start = number
            elif line.startswith("}") and start is not None:
                if number - start > 60:
                    yield path, start, f"a function of {number - start} lines"
                start = None


def rule_names_say_something():
    banned = re.compile(r"(^|_)(util|utils|helper|helpers|common|misc|manager|impl)(_|$)")
    for path in sources():
        for part in path.relative_to(ROOT).with_suffix("").parts:
            if banned.search(part):
                yield path, 1, f"'{part}' is a name that says nothing"
        for number, line in enumerate(lines_of(path), 1):
            for name in re.findall(r"\b(?:class|struct|namespace)\s+(\w+)", line):
                if re.search(r"(Util|Helper|Manager|Impl)s?$", name):
                    yield path, number, f"'{name}' is a name that says nothing"
            for name in re.findall(r"^\s+(?:\[\[nodiscard\]\] )?[\w:<>*& ]+ ((?:get|is)_\w+)\(\) const", line):
                yield path, number, f"'{name}': accessors are bare nouns, booleans adjectives"


def rule_no_loose_ends():
    for path in tracked(".h", ".cc", ".py", ".sh", ".cmake", ".policy"):
        if path == pathlib.Path(__file__).resolve():
            continue
        for number, line in enumerate(lines_of(path), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield path, number, "a loose end: do it, or say it in the closing note"


def rule_unsafe_tricks_only_in_unsafe_files():
    trick = re.compile(r"reinterpret_cast|std::atomic_ref|(?<![\w.])::mmap\(")
    for path in sources():
        unsafe = path.stem.endswith("_unsafe")
        text = path.read_text()
        if unsafe and "SAFETY:" not in "\n".join(text.splitlines()[:4]):
            yield path, 1, "an unsafe file opens with a SAFETY paragraph"
        if unsafe or path.relative_to(ROOT).parts[0] == "tests" or path.stem.endswith(("_test", "_fuzz", "_bench")):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if trick.search(line.split("//")[0]):
                yield path, number, "belongs into a file named *_unsafe.cc"


def rule_includes_run_one_way():
    for path in sources():
        level = path.relative_to(ROOT).parts[0]
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r'\s*#include "([^"]+)"', line)
            if not match:
                continue
            top = match.group(1).split("/")[0]
            if ".." in match.group(1).split("/"):
                yield path, number, "includes are written from the root of the tree"
            if top in LEVELS + ("tests",) and top not in MAY_INCLUDE.get(level, ()):
                yield path, number, f"{level}/ may not include {top}/"


def rule_trusted_code_uses_only_libcrypto():
    foreign = re.compile(r"#include <(openssl|nlohmann|boost|toml\+\+|CLI|spdlog|fmt|google|onnx|dnnl|png|zlib)")
    for path in sources():
        level = path.relative_to(ROOT).parts[0]
        if level not in ("base", "wire", "trusted") or path.stem.endswith(("_test", "_fuzz", "_bench")):
            continue
        seam = level == "base" and path.stem in ("crypto", "secret_heap_unsafe")
        for number, line in enumerate(lines_of(path), 1):
            match = foreign.match(line)
            if match and not (seam and match.group(1) == "openssl"):
                yield path, number, f"the TCB may not use {match.group(1)}"


def rule_test_names_are_sentences():
    for path in tracked(".cc"):
        for number, line in enumerate(lines_of(path), 1):
            match = re.match(r"(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\(\w+, (\w+)", line)
            if match and (match.group(1).count("_") < 2 or match.group(1) != match.group(1).lower()):
                yield path, number, f"'{match.group(1)}' is no sentence"


def rule_second_level_folders_have_a_short_readme():
    for level in LEVELS[1:]:
        for folder in sorted((ROOT / level).iterdir()):
            if not folder.is_dir() or not any(folder.rglob("*.cc")):
                continue
            readme = folder / "README.md"
            if not readme.exists():
                yield readme, 1, "is missing"
            elif len(lines_of(readme)) > 40:
                yield readme, 1, "has more than 40 lines"


def rule_component_files_are_short():
    for path in tracked(".txt"):
        component = path.parent != ROOT and path.parent.name != "peers"  # projects of their own
        if path.name == "CMakeLists.txt" and component and len(lines_of(path)) > 12:
            yield path, 1, "has more than 12 lines: the rule is one component() call"


def rule_threats_name_tests_that_exist():
    text = "\n".join(path.read_text(errors="replace") for path in tracked(".cc", ".py", ".sh"))
    claims = False
    for number, line in enumerate(lines_of(ROOT / "THREATS.md"), 1):
        if line.startswith("## "):
            claims = line == "## Claims"
        if not claims or not line.startswith("| ") or line.startswith(("| claim", "| ---", "|---")):
            continue
        proof = line.rstrip().rstrip("|").rsplit("|", 1)[-1].strip()
        if proof == "pending" or proof.startswith("proof"):
            continue
        for name in re.findall(r"`([^`]+)`", proof) or [proof]:
            if name.split(".")[-1] not in text and not (ROOT / name).exists():
                yield ROOT / "THREATS.md", number, f"names the test '{name}', which does not exist"


def rule_nothing_of_this_machine():
    # Where this checkout lies is this machine's affair, and so is where its packages come from: no
    # address of a package archive, whoever runs it.
    places = [str(p) for p in (ROOT, ROOT.parent / "shared") if len(p.parts) > 2]
    archive = re.compile(r"https?://[^\s/\"']*(debian|ubuntu|npm|pypi|mirror)[^\s\"']*", re.IGNORECASE)
    for path in tracked():
        if path.suffix in (".png", ".onnx"):
            continue
        for number, line in enumerate(lines_of(path), 1):
            if archive.search(line) or any(place in line for place in places):
                yield path, number, "names a place of this machine, or a package archive"


RULES = {name[5:]: rule for name, rule in sorted(globals().items()) if name.startswith("rule_")}


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(RULES))
        return 0
    chosen = sys.argv[1:] or list(RULES)
    violations = 0
    for name in chosen:
        for path, number, what in RULES[name]():
            print(f"{path.relative_to(ROOT)}:{number}: {what} [{name}]")
            violations += 1
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
