# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages: what is in them, and that DKMS makes modules of the sources.
# Seen red: a changelog of another version than jbdctl's; modules that cannot be built without pahole.

setup_file() {
	export DEB_BUILD_OPTIONS=noopt		# takes half the time
	"$BATS_TEST_DIRNAME/../../dist/mkdeb" "$BATS_FILE_TMPDIR/deb"
	for deb in "$BATS_FILE_TMPDIR"/deb/{dm-journal-dkms,jbdctl}_*.deb; do dpkg-deb -x "$deb" "$BATS_FILE_TMPDIR/root"; done
}

setup() {
	cd "$BATS_FILE_TMPDIR"
	sources=$(echo root/usr/src/dm-journal-*)
	version=${sources##*-}
}

@test "jbdctl's package has the tool, its manual page and the documents" {
	[ "$(root/usr/sbin/jbdctl --version | cut -d' ' -f2)" = "$version" ]
	[ -s root/usr/share/man/man8/jbdctl.8.gz ]
	[ -e root/usr/share/doc/jbdctl/operations.md ] || [ -e root/usr/share/doc/jbdctl/operations.md.gz ]
	[[ $(dpkg-deb -f deb/jbdctl_*.deb Depends) == *kmod* ]]
}

@test "DKMS makes both modules" {
	[[ $(dpkg-deb -f deb/dm-journal-dkms_*.deb Depends) == *dkms* ]]
	headers=$("$BATS_TEST_DIRNAME/../vm/vm" kdir --kernel 6.12)
	release=$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$headers/include/generated/utsrelease.h")
	mkdir dkms
	dkms build "dm-journal/$version" -k "$release" --kernelsourcedir "$headers" --dkmstree "$PWD/dkms" \
		--sourcetree "$PWD/root/usr/src" --no-depmod
	for module in dm-journal dm-checkpoint; do
		[[ $(modinfo -F vermagic "dkms/dm-journal/$version/$release/x86_64/module/$module.ko") == "$release "* ]]
	done
}
