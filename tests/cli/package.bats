# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages: what is in them, and that DKMS makes modules of the sources, for the headers of both kernels.
# Seen red: a source file that the package leaves out; a changelog of another version than jbdctl's.

setup_file() {
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

@test "DKMS makes both modules for each kernel" {
	[[ $(dpkg-deb -f deb/dm-journal-dkms_*.deb Depends) == *dkms* ]]
	for kernel in 6.1 6.12; do
		headers=$("$BATS_TEST_DIRNAME/../../tests/vm/vm" kdir --kernel $kernel)
		release=$(cat "$headers/include/config/kernel.release")
		dkms build "dm-journal/$version" -k "$release" --kernelsourcedir "$headers" --dkmstree "$PWD/dkms" \
			--sourcetree "$PWD/root/usr/src" --no-depmod
		for module in dm-journal dm-checkpoint; do
			[[ $(modinfo -F vermagic "dkms/dm-journal/$version/$release/x86_64/module/$module.ko") == "$release "* ]]
		done
	done
}
