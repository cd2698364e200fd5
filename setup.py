"""Builds pyossl's extension modules, and writes what depends on the repository's address into the package's metadata.

The compiler, the headers and the library are looked for only when the extension is built, so that an sdist can be
made on a machine that has none of them.
"""

import os
import re
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).parent))

import build_ffi

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
STABLE_ABI = sys.implementation.name == "cpython" and not FREE_THREADED
# The Python for which it is compiled, for example 311.  ci/wheels may compile for another one than the running one, and
# only this setting then always belongs to that one.
CPYTHON = re.match(r"cpython-(\d+)", sysconfig.get_config_var("SOABI") or "")
# pyossl/_c/fast.c needs buffers, which the stable ABI has from 3.11 on.
FAST_STABLE_ABI = STABLE_ABI and CPYTHON is not None and int(CPYTHON[1]) >= 311


ROOT = Path(__file__).parent
REPOSITORY = os.environ.get("PYOSSL_REPOSITORY", "").rstrip("/")
"""The address of the repository, which .github/workflows/wheels.yml knows."""
RELEASE = "v" + re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[0]


def description() -> str:
    """README.md.  If the repository's address is known, links and pictures have it: an index page has no files."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    if not REPOSITORY:
        return text

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link[1].startswith("!") else "blob"
        return f"{link[1]}({REPOSITORY}/{kind}/{RELEASE}/{link[2]})"

    return re.sub(r"(!?\[[^][]*\])\((?!https?:|#)([^)\s]+)\)", absolute, text)


def addresses() -> dict[str, str]:
    if not REPOSITORY:
        return {}
    at_release = f"{REPOSITORY}/blob/{RELEASE}"
    return {
        "Source": REPOSITORY,
        "Documentation": f"{at_release}/docs/index.md",
        "Changelog": f"{at_release}/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    }


class BuildExtension(build_ext):
    def run(self) -> None:
        # setuptools takes the compiler from CC, or else the one that built Python, even if it is not on PATH.
        if build_ffi.compiler() == ["cc"]:
            os.environ["CC"] = "cc"
        super().run()

    def build_extension(self, ext: Extension) -> None:
        if ext.name == build_ffi.MODULE:
            build_ffi.prepare(self, ext)
        super().build_extension(ext)


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    project_urls=addresses(),
    ext_modules=[
        Extension(
            build_ffi.MODULE,
            sources=[],
            depends=[str(path) for path in build_ffi.SOURCES],
            py_limited_api=STABLE_ABI,
        ),
        Extension(
            "pyossl._fast",
            sources=["pyossl/_c/fast.c"],
            depends=["pyossl/_c/hot_calls.h", *sorted(map(str, Path("pyossl/_c/fast").iterdir()))],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if FAST_STABLE_ABI else [],
            py_limited_api=FAST_STABLE_ABI,
        ),
    ],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if FAST_STABLE_ABI else {},
)
