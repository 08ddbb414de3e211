// SPDX-License-Identifier: GPL-2.0-only
//
// Hold and marks in a superblock. Seen red, each in its test: names of 32 letters taken; a ninth mark over the first;
// the feature bit left behind a release, or not set by a hold; the limit of the newest mark instead of the lowest.
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include <errno.h>
#include <linux/types.h>
#include <linux/kernel.h>
#include "../../dm-journal/mark.h"
}

namespace {

jcut cut_at(__u64 n)
{
	return {n, static_cast<__u32>(n * 7), jpos(n * 100)};
}

TEST(Mark, NamesAreWords)
{
	for (const char *good : {"a", "before-upgrade", "A_1.2+3", "1"})
		EXPECT_TRUE(jmark_name_ok(good)) << good;
	for (const char *bad : {"", "a b", "a:b", "a,b", "a/b", "\xc3\xa4", "a\n", "-\x7f"})
		EXPECT_FALSE(jmark_name_ok(bad)) << bad;
	EXPECT_TRUE(jmark_name_ok(std::string(31, 'x').c_str()));
	EXPECT_FALSE(jmark_name_ok(std::string(32, 'x').c_str()));
	EXPECT_FALSE(jmark_name_ok(std::string(100, 'x').c_str()));
}

TEST(Mark, IsFoundAsItWasSetAndIsTheLimit)
{
	jsuper sb = {};
	const jcut one = cut_at(5), two = cut_at(3);

	EXPECT_FALSE(jmark_any(&sb));
	EXPECT_EQ(jmark_limit(&sb).v, ~0ull);
	EXPECT_EQ(jmark_set(&sb, "one", &one, 1234), 0);
	EXPECT_EQ(jmark_set(&sb, "one", &two, 0), -EEXIST);
	EXPECT_EQ(jmark_set(&sb, "a b", &two, 0), -EINVAL);
	EXPECT_EQ(jmark_limit(&sb).v, 500u);
	EXPECT_EQ(jmark_set(&sb, "two", &two, 0), 0);
	EXPECT_EQ(jmark_limit(&sb).v, 300u);
	EXPECT_EQ(sb.ro_compat, JFMT_RO_COMPAT_HOLD);

	const jfmt_mark *m = jmark_find(&sb, "one");
	ASSERT_TRUE(m);
	EXPECT_EQ(jmark_cut(m).seq, one.seq);
	EXPECT_EQ(jmark_cut(m).crc, one.crc);
	EXPECT_EQ(jmark_cut(m).pos.v, one.pos.v);
	EXPECT_EQ(le64_to_cpu(m->time_ms), 1234u);
	EXPECT_FALSE(jmark_find(&sb, "on"));
	EXPECT_FALSE(jmark_find(&sb, "one1"));
	EXPECT_FALSE(jmark_find(&sb, ""));
}

TEST(Mark, EightFit)
{
	jsuper sb = {};

	for (unsigned i = 0; i < JFMT_MARKS; i++) {
		const jcut cut = cut_at(10 + i);
		EXPECT_EQ(jmark_set(&sb, std::string(1, static_cast<char>('a' + i)).c_str(), &cut, 0), 0);
	}
	const jcut cut = cut_at(1);
	EXPECT_EQ(jmark_set(&sb, "more", &cut, 0), -ENOSPC);
	EXPECT_EQ(jmark_limit(&sb).v, 1000u);
	EXPECT_EQ(jmark_release(&sb, "c"), 0);
	EXPECT_EQ(jmark_set(&sb, "more", &cut, 0), 0);
	EXPECT_EQ(jmark_limit(&sb).v, 100u);
}

TEST(Mark, ReleaseOfOneAndOfAll)
{
	jsuper sb = {};
	const jcut one = cut_at(5), two = cut_at(9);

	sb.ro_compat = 1ull << 40;
	jmark_set(&sb, "one", &one, 0);
	jmark_set(&sb, "two", &two, 0);
	jmark_hold(&sb);
	EXPECT_EQ(sb.flags, JFMT_SUPER_HELD);
	EXPECT_EQ(jmark_limit(&sb).v, 0u);
	EXPECT_EQ(jmark_release(&sb, "three"), -ENOENT);
	EXPECT_EQ(jmark_release(&sb, "one"), 0);
	EXPECT_FALSE(jmark_find(&sb, "one"));
	EXPECT_EQ(jmark_limit(&sb).v, 0u);
	EXPECT_EQ(sb.ro_compat, 1ull << 40 | JFMT_RO_COMPAT_HOLD);
	EXPECT_EQ(jmark_release(&sb, nullptr), 0);
	EXPECT_FALSE(jmark_any(&sb));
	EXPECT_FALSE(jmark_find(&sb, "two"));
	EXPECT_EQ(sb.flags, 0u);
	EXPECT_EQ(sb.ro_compat, 1ull << 40);

	// a hold alone is one, too
	jmark_hold(&sb);
	EXPECT_EQ(sb.ro_compat, 1ull << 40 | JFMT_RO_COMPAT_HOLD);
}

TEST(Mark, WhatIsBehindTheLastRecordGoes)
{
	jsuper sb = {};

	for (__u64 n : {3, 5, 9}) {
		const jcut cut = cut_at(n);
		jmark_set(&sb, std::to_string(n).c_str(), &cut, 0);
	}
	jmark_forget_behind(&sb, 5);
	EXPECT_TRUE(jmark_find(&sb, "3"));
	EXPECT_TRUE(jmark_find(&sb, "5"));
	EXPECT_FALSE(jmark_find(&sb, "9"));
	jmark_forget_behind(&sb, 2);
	EXPECT_FALSE(jmark_any(&sb));
	EXPECT_EQ(sb.ro_compat, 0u);
}

// A name that fills its field, without a NUL: nothing reads on behind it.
TEST(Mark, HostileNamesHarmNobody)
{
	jsuper sb = {};

	memset(sb.mark[0].name, 'x', sizeof(sb.mark[0].name));
	sb.mark[0].pos = cpu_to_le64(64);
	EXPECT_FALSE(jmark_name_ok(reinterpret_cast<const char *>(sb.mark[0].name)));
	EXPECT_FALSE(jmark_find(&sb, std::string(32, 'x').c_str()));
	EXPECT_EQ(jmark_limit(&sb).v, 64u);
	EXPECT_EQ(jmark_release(&sb, nullptr), 0);
	EXPECT_FALSE(jmark_any(&sb));
}

} // namespace
