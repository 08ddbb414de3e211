# SPDX-License-Identifier: GPL-2.0-only
# Each image of tests/corpus: what jbdctl says of it is what its class says, and what a reader that was written from
# docs/format.md alone finds.
#
# Seen red, each by at least one image: payload of what is not durable taken unverified; position, link, nonce, epoch or
# uuid not compared; checksum of header, descriptor or superblock not checked; no barrier rule, barrier_crc ignored,
# barrier_seq or ckpt_to_seq not taken for durable; holes and superblocks that are not the newest taken for the end;
# records accepted beyond a hole; a slot that is newer or insane passed over; extents, durable_seq and next_desc unbounded.

bats_require_minimum_version 1.5.0

HERE=$BATS_TEST_DIRNAME
CORPUS=$HERE/../corpus
JBDCTL=${JBDCTL:-$(realpath "$HERE/../../ctl/build/jbdctl")}
export TZ=UTC LC_ALL=C

setup_file() {
	local name
	cd "$BATS_FILE_TMPDIR" || return
	export PYTHONDONTWRITEBYTECODE=1
	mkdir images homes found
	yes 'the home as it was before any journal' | head -c 1M > home
	python3 "$CORPUS/image.py" images "$CORPUS"/images/*.img
	python3 "$CORPUS/image.py" homes "$CORPUS"/homes/*.img
	python3 "$CORPUS/reader.py" home found images/*
	for name in homes/*; do
		python3 "$CORPUS/reader.py" "$name" found "images/${name#homes/}"
	done
}

# home NAME: the home that the image is tried on.
home() { if [ -e "$BATS_FILE_TMPDIR/homes/$1" ]; then echo "$BATS_FILE_TMPDIR/homes/$1"; else echo "$BATS_FILE_TMPDIR/home"; fi; }

# expect NAME WORD: what images/NAME.expect has for WORD.
expect() { awk -v word="$2" '$1 == word { print $2 }' "$CORPUS/images/$1.expect"; }

# same FILE FILE
same() { diff -u "$1" "$2"; }

# image: the test's name is that of the image.
image() {
	local name=$BATS_TEST_DESCRIPTION found=$BATS_FILE_TMPDIR/found/$BATS_TEST_DESCRIPTION.json
	cd "$BATS_TEST_TMPDIR" || return
	cp --sparse=always "$BATS_FILE_TMPDIR/images/$name" log
	cp --sparse=always "$(home "$name")" copy
	# the verdict, word by word
	run "$JBDCTL" log verify log --quiet
	echo "verify: $status: $output"
	[ "$status" = "$(expect "$name" verify)" ]
	same "$CORPUS/texts/$name.verify" <(echo "$output")
	if [ "$(expect "$name" golden)" ]; then
		same "$CORPUS/texts/$name.dump" <("$JBDCTL" log dump log --extents)
	fi
	# the same records as the reader has
	"$JBDCTL" log dump log --json --extents > dump 2> /dev/null || :
	jq -c '.records[], .end' "$found" > records
	jq -c '(.records[]? | [.seq, .epoch, .pos, .len, .crc,
		[.extents[] | [.kind, .home, .len] + if .kind == "data" then [.log_sector, .crc] else [] end]]),
		.end.verdict' dump > dumped
	[ -s dump ] || echo null > dumped	# no log at all
	same records dumped
	[ "$(jq '.records | length' "$found")" = "$(expect "$name" records)" ]
	# the home that is recovered is the writer's, and the reader's
	run "$JBDCTL" recover --log log --onto copy --accept-loss --quiet
	echo "recover: $status: $output"
	if [ "$(expect "$name" home)" = - ]; then
		[ "$status" -ne 0 ]
		cmp copy "$(home "$name")"
	else
		[ "$status" = 0 ]
		[ "$(sha256sum < copy)" = "$(expect "$name" home)  -" ]
		[ "$(jq -r .home "$found")" = "$(expect "$name" home)" ]
	fi
	cmp log "$BATS_FILE_TMPDIR/images/$name"
}

@test "the images are what their classes say, and each is tested" {
	python3 "$CORPUS/make.py" --check
	diff <(cd "$CORPUS/images" && ls -1 -- *.img | sed 's/\.img$//' | sort) \
		<(sed -n 's/^@test "\([^ ]*\)" { image; }$/\1/p' "$BATS_TEST_FILENAME" | sort)
}

# What may not be written is refused before anything was; all others are good and empty afterwards, even if they are
# retired because no sequence is left.
@test "replayed onto the home itself, each good log is good and empty" {
	local name seen=0
	for name in $(cd "$CORPUS/images" && grep -l '^verify 0' -- *.expect | sed 's/\.expect$//'); do
		[ "$(expect "$name" home)" != - ] || continue
		cp --sparse=always "$BATS_FILE_TMPDIR/images/$name" log
		cp --sparse=always "$(home "$name")" copy
		run "$JBDCTL" recover --log log --home copy --quiet
		echo "$name: $status: $output"
		case $name in
		ro-compat-unknown|home-of-another-length)
			[ "$status" = 3 ]
			cmp log "$BATS_FILE_TMPDIR/images/$name"
			cmp copy "$(home "$name")" ;;
		*)
			[ "$status" = 0 ]
			[ "$(sha256sum < copy)" = "$(expect "$name" home)  -" ]
			run "$JBDCTL" log verify log --quiet
			[ "$status" = 0 ]
			[[ $output == *'good and empty'* ]] ;;
		esac
		seen=$((seen + 1))
	done
	[ "$seen" -gt 40 ]
}

@test "area-zeroed" { image; }
@test "barrier" { image; }
@test "barrier-checksum" { image; }
@test "barrier-cut-off" { image; }
@test "barrier-forgotten" { image; }
@test "barrier-new-branch" { image; }
@test "barrier-next-lap" { image; }
@test "barrier-position" { image; }
@test "barriers" { image; }
@test "batch-begun" { image; }
@test "compat-unknown" { image; }
@test "cut-before-slot" { image; }
@test "cut-in-area" { image; }
@test "cut-in-slot" { image; }
@test "descriptor-crc" { image; }
@test "descriptors" { image; }
@test "discards" { image; }
@test "empty" { image; }
@test "epoch-goes-back" { image; }
@test "first-header-crc" { image; }
@test "former-format" { image; }
@test "former-lap" { image; }
@test "former-lap-alike" { image; }
@test "former-lap-durable" { image; }
@test "former-lap-linked" { image; }
@test "fresh" { image; }
@test "full" { image; }
@test "header-crc" { image; }
@test "header-crc-last" { image; }
@test "hole-at-barrier" { image; }
@test "hole-at-barrier-alone" { image; }
@test "hole-below-durable" { image; }
@test "hole-in-batch" { image; }
@test "hole-proven" { image; }
@test "hole-proven-in-next-lap" { image; }
@test "hole-unproven" { image; }
@test "home-of-another-length" { image; }
@test "incompat-unknown" { image; }
@test "lap-end" { image; }
@test "later-lap" { image; }
@test "lie-descriptor-back-to-header" { image; }
@test "lie-descriptor-beyond-record" { image; }
@test "lie-descriptor-elsewhere" { image; }
@test "lie-descriptor-in-itself" { image; }
@test "lie-descriptor-loop" { image; }
@test "lie-descriptor-of-another-record" { image; }
@test "lie-descriptor-out-of-order" { image; }
@test "lie-descriptor-with-too-many" { image; }
@test "lie-descriptor-without-extents" { image; }
@test "lie-descriptor-without-next" { image; }
@test "lie-durable" { image; }
@test "lie-durable-above-link" { image; }
@test "lie-epoch-above-max" { image; }
@test "lie-extent-beyond-home" { image; }
@test "lie-extent-beyond-record" { image; }
@test "lie-extent-of-no-length" { image; }
@test "lie-extent-of-unknown-kind" { image; }
@test "lie-extent-too-long" { image; }
@test "lie-extent-with-high-bits" { image; }
@test "lie-len-above-record-max" { image; }
@test "lie-len-across-lap" { image; }
@test "lie-len-zero" { image; }
@test "lie-link-to-itself" { image; }
@test "lie-next-without-descriptor" { image; }
@test "lie-no-descriptor" { image; }
@test "lie-sequence-above-max" { image; }
@test "lie-tail-a-lap-before" { image; }
@test "lie-tail-above-durable" { image; }
@test "lie-tail-behind-itself" { image; }
@test "lie-too-many-extents" { image; }
@test "lost-branch-says-durable" { image; }
@test "lost-sequence-in-superblock" { image; }
@test "made-6.1-unit1" { image; }
@test "made-6.12-unit8" { image; }
@test "newest-slot-rotten" { image; }
@test "newest-slot-rotten-payload-torn" { image; }
@test "no-length" { image; }
@test "no-log-ext4" { image; }
@test "no-log-random" { image; }
@test "no-log-zeroes" { image; }
@test "nonce-changed" { image; }
@test "older-slot-rotten-and-payload" { image; }
@test "payload-crc" { image; }
@test "payload-crc-last" { image; }
@test "payload-crc-unacknowledged" { image; }
@test "record-beyond-tail" { image; }
@test "records" { image; }
@test "retired" { image; }
@test "ro-compat-unknown" { image; }
@test "sequence-32-bits" { image; }
@test "sequence-last" { image; }
@test "slot-newest-half" { image; }
@test "slot-newest-torn" { image; }
@test "slot-newest-torn-after-barrier" { image; }
@test "slot-older-torn" { image; }
@test "slot-older-zero" { image; }
@test "slots-torn" { image; }
@test "slots-torn-and-zero" { image; }
@test "slots-zero" { image; }
@test "super-area-beyond-device" { image; }
@test "super-area-in-slot" { image; }
@test "super-area-overflows" { image; }
@test "super-area-start-beyond-device" { image; }
@test "super-area-start-overflows" { image; }
@test "super-area-too-short" { image; }
@test "super-barrier-above-new" { image; }
@test "super-barrier-position-above-max" { image; }
@test "super-checkpoint-above-max" { image; }
@test "super-checkpoint-position-above-max" { image; }
@test "super-epoch-above-max" { image; }
@test "super-home-too-long" { image; }
@test "super-new-above-max" { image; }
@test "super-no-home" { image; }
@test "super-record-max-too-large" { image; }
@test "super-record-max-too-small" { image; }
@test "super-tail-above-all" { image; }
@test "super-tail-above-durable" { image; }
@test "super-tail-between-units" { image; }
@test "super-tail-lost" { image; }
@test "super-tail-position-above-max" { image; }
@test "super-unit-sixteen" { image; }
@test "super-unit-three" { image; }
@test "super-unit-zero" { image; }
@test "super-version-zero" { image; }
@test "tail" { image; }
@test "tail-in-headers" { image; }
@test "too-short" { image; }
@test "torn-all" { image; }
@test "torn-all-but-header" { image; }
@test "torn-descriptor" { image; }
@test "torn-header" { image; }
@test "torn-ones" { image; }
@test "torn-payload-first" { image; }
@test "torn-payload-last" { image; }
@test "torn-payload-middle" { image; }
@test "two-claims" { image; }
@test "two-sectors" { image; }
@test "unacknowledged" { image; }
@test "unit2" { image; }
@test "unit4" { image; }
@test "unit8" { image; }
@test "uuid-changed" { image; }
@test "version-newer" { image; }
@test "version-newer-in-one-slot" { image; }
@test "wrap" { image; }
@test "wrong-link" { image; }
@test "wrong-link-checksum" { image; }
@test "wrong-link-sequence" { image; }
@test "wrong-position" { image; }
