#!/usr/bin/env bash
# Installs what the browser tests need: Chromium from the distribution, and the npm packages of tests/browser.
set -euo pipefail
cd "$(dirname "$0")/../browser"

if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "setup: the browser tests need Chromium; install it (Debian: sudo apt-get install chromium), then run this again" >&2
        exit 1
    fi
    echo "setup: installing Chromium from the distribution"
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium >/dev/null
fi
if ! command -v npm >/dev/null; then
    echo "setup: the browser tests need Node.js with npm; install them (Debian: apt-get install nodejs npm), then run this again" >&2
    exit 1
fi
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules ]; then
    echo "setup: installing the npm packages of the browser tests"
    npm ci --no-audit --no-fund --loglevel=error
    touch node_modules
fi
