# shellcheck shell=sh
# Functions that check the machine and install what is missing. The scripts in this folder source it, from the
# repository's root.
#
# Only packages that a check found missing are installed. So a machine that has all of them needs neither root nor
# network.

say() { printf 'ci: %s\n' "$*" >&2; }

fail() {
    printf 'ci: error: %s\n' "$*" >&2
    exit 1
}

# quietly COMMAND...: runs a command. If it fails, shows its output and ends the script.
quietly() {
    said=$(mktemp)
    if "$@" >"$said" 2>&1; then
        rm "$said"
    else
        cat "$said" >&2
        rm "$said"
        fail "this command failed: $*"
    fi
}

venv=${PYOSSL_VENV:-.venv}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

package_manager() {
    for manager in apt-get dnf apk brew; do
        if command -v "$manager" >/dev/null 2>&1; then
            echo "$manager"
            return
        fi
    done
}

# The packages that meet a need, for each package manager.
packages_for() {
    case "$1:$2" in
        apt-get:compiler) echo gcc libc6-dev ;;
        apt-get:headers) echo libssl-dev ;;
        apt-get:pkg-config) echo pkg-config ;;
        apt-get:python) echo python3 python3-dev python3-venv ;;
        apt-get:trust) echo ca-certificates ;;
        apt-get:chromium) echo chromium fonts-dejavu-core ;;
        apt-get:mmdebstrap) echo mmdebstrap debian-archive-keyring ;;
        apt-get:unshare) echo util-linux ;;
        apt-get:qemu) echo qemu-user ;;
        apt-get:musl) echo musl ;;
        dnf:compiler) echo gcc glibc-devel ;;
        dnf:headers) echo openssl-devel ;;
        dnf:pkg-config) echo pkgconf-pkg-config ;;
        dnf:python) echo python3 python3-devel ;;
        dnf:trust) echo ca-certificates ;;
        apk:compiler) echo gcc musl-dev linux-headers ;;
        apk:headers) echo openssl-dev ;;
        apk:pkg-config) echo pkgconf ;;
        apk:python) echo python3 python3-dev ;;
        apk:trust) echo ca-certificates ;;
        brew:headers) echo openssl@3 ;;
        brew:pkg-config) echo pkgconf ;;
        brew:python) echo python@3.13 ;;
        *:openssl | *:curl | *:git | *:valgrind | *:strace) echo "$2" ;;
    esac
}

# one_at_a_time COMMAND...: runs a command as root. The two lanes of .ci/run may both call it, and apt-get fails at once if
# another one is running.
one_at_a_time() {
    as_root flock ci/machine.sh "$@"
}

install_packages() {
    manager=$1
    shift
    # Homebrew refuses to run as root.
    [ "$manager" = brew ] || [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 ||
        fail "installing packages needs root, and there is no sudo: $*"
    say "installing with $manager: $*"
    case "$manager" in
        apt-get)
            quietly one_at_a_time apt-get -q update
            quietly one_at_a_time env DEBIAN_FRONTEND=noninteractive \
                apt-get -q install --yes --no-install-recommends "$@" ;;
        dnf) quietly as_root dnf --assumeyes install "$@" ;;
        apk) quietly as_root apk add "$@" ;;
        brew) quietly brew install "$@" ;;
    esac
}

# --no-install-recommends installs gcc without the headers of the C library. Only compiling a program shows that.
compiles() {
    directory=$(mktemp -d)
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' >"$directory/try.c"
    status=0
    ${CC:-cc} -o "$directory/try" "$directory/try.c" >/dev/null 2>&1 || status=1
    rm -r "$directory"
    return $status
}

# pkg-config does not find Homebrew's OpenSSL by itself: Homebrew keeps it out of the default path.
point_out_homebrew() {
    if command -v brew >/dev/null 2>&1 && prefix=$(brew --prefix openssl@3 2>/dev/null); then
        PKG_CONFIG_PATH="$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
        export PKG_CONFIG_PATH
    fi
}

has() {
    case "$1" in
        compiler) compiles ;;
        headers)
            if [ -n "${PYOSSL_OPENSSL_DIR:-}" ]; then
                [ -e "$PYOSSL_OPENSSL_DIR/include/openssl/ssl.h" ] ||
                    fail "PYOSSL_OPENSSL_DIR=$PYOSSL_OPENSSL_DIR has no include/openssl/ssl.h"
            else
                pkg-config --exists libssl 2>/dev/null
            fi ;;
        python) find_python ;;
        trust)
            [ "$(uname)" = Darwin ] ||
                [ -e /etc/ssl/certs/ca-certificates.crt ] ||
                [ -e /etc/pki/tls/certs/ca-bundle.crt ] ;;
        qemu) command -v qemu-aarch64 >/dev/null 2>&1 ;;
        musl) [ -e "/lib/ld-musl-$(uname -m).so.1" ] ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# Finds a Python that can make a virtual environment and compile an extension; sets $python to its path.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
        if python=$("$candidate" -c '
import sys, sysconfig, os
assert sys.version_info >= (3, 10)
import ensurepip, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
print(sys.executable)' 2>/dev/null); then
            return 0
        fi
    done
    return 1
}

# need NEED...: checks each need, installs the missing packages and checks again.
need() {
    [ "$(uname)" != Darwin ] || point_out_homebrew
    missing=
    for wanted in "$@"; do
        has "$wanted" || missing="$missing $wanted"
    done
    [ -n "$missing" ] || return 0

    say "missing:$missing"
    if [ "$(uname)" = Darwin ] && ! xcode-select -p >/dev/null 2>&1; then
        fail "Apple's command line tools are missing: run xcode-select --install, then run this script again"
    fi
    manager=$(package_manager)
    [ -n "$manager" ] || fail "found no apt-get, dnf, apk or brew; install these yourself:$missing"
    packages=
    for wanted in $missing; do
        packages="$packages $(packages_for "$manager" "$wanted")"
    done
    # shellcheck disable=SC2086 # a list of package names
    [ -z "${packages# }" ] || install_packages "$manager" $packages

    [ "$(uname)" != Darwin ] || point_out_homebrew
    for wanted in $missing; do
        has "$wanted" || fail "$(still_missing "$wanted")"
    done
}

still_missing() {
    case "$1" in
        python) echo "found no Python 3.10 or newer with venv, ensurepip and Python.h" \
            "(tried: ${PYTHON:-python3, python3.10 to python3.14}); set PYTHON to the path of one" ;;
        headers) echo "pkg-config does not find libssl: install OpenSSL's headers," \
            "or set PYOSSL_OPENSSL_DIR to the prefix of an OpenSSL" ;;
        compiler) echo "the C compiler does not work: ${CC:-cc}" ;;
        *) echo "$1 is missing, and its package for $(package_manager) is not known: install it yourself" ;;
    esac
}

# Checks the programs that make the rows of ci/matrix.
need_rows() {
    [ "$(package_manager)" = apt-get ] ||
        fail "ci/matrix makes its rows with mmdebstrap: run it on Debian or Ubuntu"
    need compiler pkg-config headers trust openssl curl git mmdebstrap unshare
}

# Makes $venv, unless a usable one exists. Never removes an environment that this script did not make.
need_venv() {
    if [ -z "${PYTHON:-}" ] && "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        return 0
    fi
    need python
    identity='import sys; print(sys.base_prefix, sys.version)'
    wanted=$("$python" -c "$identity")
    [ "$wanted" != "$("$venv/bin/python" -c "import pip; $identity" 2>/dev/null)" ] || return 0
    if [ -e "$venv" ]; then
        [ -e "$venv/made-by-ci" ] ||
            fail "$venv has another Python or no pip, and ci/setup did not make it: move it, or set PYOSSL_VENV"
        rm -r "$venv"
    fi
    say "making $venv with $python"
    quietly "$python" -m venv "$venv"
    : >"$venv/made-by-ci"
}
