#!/bin/sh
# Puts the program where it is found, after a look at whether it can run here. All else (user, folders,
# configuration, services) is done by `maillogsentinel --setup`, which asks first.
#   sudo ./install.sh               installs /usr/local/bin/maillogsentinel
#   sudo ./install.sh --uninstall   says how it is removed, and changes nothing
# PREFIX is another place than /usr/local; DESTDIR goes before it, for those who pack.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${DESTDIR:-}${PREFIX:-/usr/local}/bin

fail() { printf 'error: %s\n  hint: %s\n' "$1" "$2" >&2; exit 1; }

case ${1:-} in
	'') ;;
	--uninstall)
		cat <<-ADVICE
		To remove it, with what --setup made and the program itself:
		  sudo maillogsentinel --setup --uninstall
		or, if it was not set up:  sudo rm $bin/maillogsentinel
		What was recorded is in /var/lib/maillogsentinel and /var/log/maillogsentinel, the configuration
		is /etc/maillogsentinel.conf.
		ADVICE
		exit 0 ;;
	*) fail "there is no option $1" "./install.sh, or ./install.sh --uninstall" ;;
esac

# Empty for a program that is linked statically.
needed=$(cat "$here/glibc")
if [ -n "$needed" ]; then
	system=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //')
	[ -n "$system" ] || fail "this system has no glibc, and the program needs glibc $needed or later" \
		"take the archive that has static in its name, or build it here: cargo build --release"
	least=$(printf '%s\n%s\n' "$needed" "$system" | sort -V | head -n 1)
	[ "$least" = "$needed" ] || fail "the program needs glibc $needed or later, and this system has $system" \
		"take the archive that has static in its name, or build it here: cargo build --release"
fi
version=$("$here/maillogsentinel" --version) ||
	fail "the program does not run here ($(uname -m))" "take the archive for this architecture, or build it here: cargo build --release"

if [ -e "${DESTDIR:-}/usr/bin/maillogsentinel" ]; then
	fail "/usr/bin/maillogsentinel is there, from a package; services would run this one instead" \
		"upgrade the package, or remove it first: sudo apt-get remove maillogsentinel"
fi
mkdir -p "$bin" 2>/dev/null && [ -w "$bin" ] || fail "cannot write to $bin" "sudo ./install.sh"
# Under another name first: the old program or the new one, whatever happens.
install -m 755 "$here/maillogsentinel" "$bin/.maillogsentinel.new"
mv -f "$bin/.maillogsentinel.new" "$bin/maillogsentinel"
echo "$version is installed: $bin/maillogsentinel"
echo "Next: sudo maillogsentinel --setup"
