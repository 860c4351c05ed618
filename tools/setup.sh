#!/bin/sh
# Make .venv from a lock file; return at once when it is already made from it. Usage: sh tools/setup.sh [cpu|cuda]
# PYTHON=/path/to/python takes another interpreter. The choice between cpu and cuda is kept until it is made again.
set -eu

if ! mkdir -p .work 2>/dev/null || ! [ -w . ] || ! [ -w .work ]; then
    echo "setup: $(pwd): this folder cannot be written; copy it to one of yours, or change its permissions" >&2
    exit 1
fi
stamp=.venv/stamp
lock=requirements-dev.txt
case ${1:-} in
cuda) lock=requirements-cuda.txt ;;
'') if grep -qs '^requirements-cuda.txt ' "$stamp"; then lock=requirements-cuda.txt; fi ;;
esac
key="$lock $(cksum <"$lock")"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && .venv/bin/python -c "" 2>/dev/null; then exit 0; fi

python=
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
    # run it: a name on the PATH may be a stub for a version that is not installed
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: Python 3.11 or newer is needed, found none as ${PYTHON:-python3}; install it, or: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi
uv=
if uv --version >/dev/null 2>&1; then uv=uv; fi

echo "setup: making .venv with $("$python" --version) from $lock (a few minutes where nothing is cached)" >&2
rm -rf .venv
if ! "$python" -m venv .venv >.work/setup.log 2>&1; then
    if [ -z "$uv" ] || ! uv venv -q --seed --python "$python" .venv >>.work/setup.log 2>&1; then
        echo "setup: $python cannot make a virtual environment (.work/setup.log); on Debian or Ubuntu install python3-venv, or install uv" >&2
        exit 1
    fi
fi
if [ -n "$uv" ] && uv pip install -q --compile-bytecode --python .venv/bin/python --require-hashes -r "$lock" >>.work/setup.log 2>&1; then
    :
elif ! .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"; then
    echo "setup: the installation failed; pip's reason is above; run it again to go on" >&2
    exit 1
fi
echo "$key" >"$stamp"
