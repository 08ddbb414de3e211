// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the index costs: bytes a dirty 4 KiB block, nanoseconds an operation.
 *
 * index_bench [entries]     10 million unless said otherwise
 *
 * Exit 1: more than 32 bytes for an isolated block, or more than 1 for a block
 * of 1 MiB writes.
 */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

extern "C" {
#include "index.h"
}

namespace {

constexpr __u64 kBlock = 8;		/* sectors */
constexpr __u64 kBlocks = 1ull << 30;	/* of a home of 4 TiB */

/* The i-th block in an order without pattern that visits none twice. */
__u64 Home(__u64 i)
{
	__u64 v = i;

	for (int round = 0; round < 3; round++) {
		v = (v * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull) % kBlocks;
		v ^= v >> 15;
	}
	return v * kBlock;
}

bool Insert(jindex *ix, __u64 home, __u32 len, __u64 pos)
{
	jmap m = { .home = jsec(home), .len = len, .kind = JFMT_DATA, .mapped = true,
		   .pos = jpos(pos), .has_check = true, .check = 1 };

	if (jindex_reserve(ix, len))
		return false;
	jindex_insert(ix, &m);
	return true;
}

template <typename F> double NanosEach(__u64 count, F each)
{
	auto start = std::chrono::steady_clock::now();

	for (__u64 i = 0; i < count; i++)
		if (!each(i)) {
			fprintf(stderr, "failed at %llu\n", (unsigned long long)i);
			exit(1);
		}
	std::chrono::duration<double, std::nano> t = std::chrono::steady_clock::now() - start;

	return t.count() / count;
}

double BytesPerBlock(jindex *ix)
{
	struct jindex_stats st;

	jindex_stats(ix, &st);
	return double(st.bytes) / (double(st.sectors[JFMT_DATA]) / kBlock);
}

/* Bytes a block of isolated random blocks. */
double Random(unsigned int shards, __u64 count)
{
	jindex *ix = jindex_create(shards, JINDEX_CAP_MAX);
	double insert, lookup, overwrite, drop, bytes;

	insert = NanosEach(count, [&](__u64 i) { return Insert(ix, Home(i), kBlock, i * 16); });
	bytes = BytesPerBlock(ix);
	lookup = NanosEach(count, [&](__u64 i) {
		jmap m;

		jindex_lookup(ix, jsec(Home(i)), kBlock, &m);
		return m.mapped && m.pos.v == i * 16;
	});
	overwrite = NanosEach(count, [&](__u64 i) {
		return Insert(ix, Home(i), kBlock, (count + i) * 16);
	});
	drop = NanosEach(count, [&](__u64 i) {
		jindex_drop(ix, jsec(Home(i)), kBlock, jpos(count * 32));
		return true;
	});
	printf("%-24s %6u %10llu %8.2f %8.0f %8.0f %10.0f %8.0f\n", "random 4 KiB", shards,
	       (unsigned long long)count, bytes, insert, lookup, overwrite, drop);
	jindex_destroy(ix);
	return bytes;
}

/* Bytes a block of 1 MiB writes one behind the other, each a record of its own. */
double Sequential(unsigned int shards, __u64 count)
{
	constexpr __u32 kLen = 2048;
	jindex *ix = jindex_create(shards, JINDEX_CAP_MAX);
	double insert, lookup, drop, bytes;

	insert = NanosEach(count, [&](__u64 i) { return Insert(ix, i * kLen, kLen, i * (kLen + 8)); });
	bytes = BytesPerBlock(ix);
	lookup = NanosEach(count, [&](__u64 i) {
		jmap m;

		jindex_lookup(ix, jsec(i * kLen), kLen, &m);
		return m.mapped && m.len == kLen && m.has_check;
	});
	drop = NanosEach(count, [&](__u64 i) {
		jindex_drop(ix, jsec(i * kLen), kLen, jpos((i + 1) * (kLen + 8)));
		return true;
	});
	printf("%-24s %6u %10llu %8.2f %8.0f %8.0f %10s %8.0f\n", "sequential 1 MiB", shards,
	       (unsigned long long)count, bytes, insert, lookup, "-", drop);
	jindex_destroy(ix);
	return bytes;
}

} // namespace

int main(int argc, char **argv)
{
	__u64 count = argc > 1 ? strtoull(argv[1], nullptr, 10) : 10000000;
	double isolated, sequential;

	if (!count || count > kBlocks) {
		fprintf(stderr, "usage: %s [entries]\n", argv[0]);
		return 2;
	}
	printf("%-24s %6s %10s %8s %8s %8s %10s %8s\n", "", "shards", "entries", "B/block",
	       "insert", "lookup", "overwrite", "drop ns");
	isolated = Random(JINDEX_SHARDS, count);
	isolated = std::max(isolated, Random(1, count));
	if (count > 100000)
		Random(1, 100000);
	sequential = Sequential(JINDEX_SHARDS, count / 10 + 1);
	if (isolated > 32 || sequential > 1) {
		printf("too large: at most 32 bytes an isolated block, 1 byte a block of 1 MiB writes\n");
		return 1;
	}
	return 0;
}
