#!/usr/bin/env bash
# Makes docs/images/report.png and report-phone.png: a sample report in Chromium, at the width of a
# desk and, dark, of a telephone. Needs the package chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
cargo run --quiet --release --example report_html -- "$pages" >/dev/null
shot() {
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$2" --screenshot="$pages/$1.png" \
    "${@:3}" >/dev/null 2>&1
  python3 - "$pages/$1.png" "docs/images/$1.png" <<'PY' || cp "$pages/$1.png" "docs/images/$1.png"
import sys
from PIL import Image
Image.open(sys.argv[1]).convert("RGB").quantize(64).save(sys.argv[2], optimize=True)
PY
}
shot report 1000,1280 "file://$pages/full.html"
# A page that is dark whatever the machine prefers.
sed 's/(prefers-color-scheme: *dark)/all/g' \
  "$pages/full.html" > "$pages/dark.html"
shot report-phone 500,1280 "file://$pages/dark.html"
