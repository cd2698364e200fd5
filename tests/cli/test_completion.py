"""``pyossl completion``: what bash completes, the scripts of the other shells, and the error without shtab."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli.cli_runs import PATIENCE, in_a_pipe
from interop.programs import program, where_installed

from pyossl.cli.commands import COMMANDS
from pyossl.cli.completion import SHELLS
from pyossl.cli.starttls import PROTOCOLS
from pyossl.cli.tls_versions import ALL_VERSIONS, VERSIONS

# Calls the function that "complete" has registered, as bash does after Tab, and prints the completions.
DRIVER = """
source ./completion.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
[[ $(complete -p pyossl) =~ -F\\ ([^ ]+) ]] || exit 3
"${BASH_REMATCH[1]}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || exit 4
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str) -> str:
    ran = in_a_pipe("completion", shell)
    assert (ran.status, ran.errors) == (0, "")
    return ran.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the script of bash, a file and a directory."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    folder = tmp_path_factory.mktemp("completion")
    (folder / "completion.bash").write_text(script("bash"))
    (folder / "chain.pem").touch()
    (folder / "www").mkdir()
    return folder


def completed(folder: Path, line: str) -> set[str]:
    """What bash offers at the end of the line."""
    done = subprocess.run(
        ["bash", "--norc", "-c", DRIVER, "bash", *line.split(" ")],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, ""), line
    return set(done.stdout.split())


@pytest.mark.feature("completion")
def test_bash_completes_every_command(folder: Path) -> None:
    assert completed(folder, "pyossl ") == {command.__name__.rpartition(".")[2] for command in COMMANDS}
    assert completed(folder, "pyossl cl") == {"client"}


def test_bash_completes_the_options_of_the_command(folder: Path) -> None:
    assert completed(folder, "pyossl --v") == {"--version"}
    assert completed(folder, "pyossl trace --s") == {"--servername", "--sigalgs", "--starttls", "--svg"}
    assert completed(folder, "pyossl server --wr") == {"--write-ca"}
    assert completed(folder, "pyossl client --wr") == set()


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("pyossl client --starttls ", PROTOCOLS),
        ("pyossl certs mail.example.com --starttls ", PROTOCOLS),
        ("pyossl server --min ", ALL_VERSIONS),
        ("pyossl client example.com --max ", ALL_VERSIONS),
        ("pyossl demo --tls ", VERSIONS),
        ("pyossl completion ", SHELLS),
    ],
)
def test_bash_completes_the_values_that_an_argument_can_have(folder: Path, line: str, choices: list[str]) -> None:
    assert completed(folder, line) == set(choices)


@pytest.mark.parametrize("option", ["--ca", "--cert", "--key", "--password-file", "--session", "--keylog"])
def test_bash_completes_files_where_an_option_takes_a_file(folder: Path, option: str) -> None:
    assert completed(folder, f"pyossl client example.com {option} ch") == {"chain.pem"}


def test_bash_completes_only_directories_where_an_option_takes_a_directory(folder: Path) -> None:
    assert completed(folder, "pyossl server --folder ") == {"www"}


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=where_installed(shell)) for shell in SHELLS])
def test_the_shell_reads_its_script_without_an_error(shell: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script(shell))
    options = ["-f", "-n"] if shell == "zsh" else ["-f"] if shell == "tcsh" else ["--norc", "-n"]
    done = subprocess.run([program(shell), *options, "script"], cwd=tmp_path, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_for_the_installed_command_and_has_each_command(shell: str) -> None:
    text = script(shell)
    assert "python -m" not in text
    assert {"bash": "-F _shtab_pyossl pyossl", "zsh": "#compdef pyossl\n", "tcsh": "complete pyossl "}[shell] in text
    for command in COMMANDS:
        assert command.__name__.rpartition(".")[2] in text


def test_without_shtab_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['shtab'] = None; from pyossl.cli.commands import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "completion", "bash"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs shtab" in done.stderr
    assert done.stderr.rstrip().endswith(f"{sys.executable} -m pip install shtab")


def test_no_other_command_imports_shtab() -> None:
    code = "import sys; from pyossl.cli.commands import main; status = main(['info']); sys.exit('shtab' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, timeout=PATIENCE).returncode == 0
