// SPDX-License-Identifier: GPL-2.0-only
//
// Every bit of a small log, superblocks and area, flipped one at a time: a recovery
// ends in the state after some record, and never before one that was acknowledged;
// or it refuses, but only if the bit was in an acknowledged record.
//
// "Catches:" names the changes of scan.c and codec.c that the tests were seen to fail on.
#include <gtest/gtest.h>

#include "logimage.h"

namespace {

using Home = std::vector<__u32>;	// a number for the contents of each sector

constexpr __u64 kHome = 96;		// sectors that extents here touch
constexpr __u32 kZero = 1;

// What a sector of payload holds, as a number.
__u32 number(const __u8 *sector)
{
	return jpayload_crc(0, sector, JFMT_SECTOR);
}

// A log with its superblocks in place, and the states that it may be recovered to.
struct Case {
	LogImage log;
	std::vector<Home> states;	// after the records that are home, after one more, ..
	size_t acknowledged = 0;	// states[acknowledged] and later ones are legal
	std::vector<Record> live;	// all that was written and not given up
	size_t home = 0, promised = 3;	// of those: at home; acknowledged

	void put_super()
	{
		log.sb.generation++;
		jsuper_encode(&log.sb, &log.bytes[log.sb.generation % 2 * JFMT_SUPER_STRIDE]);
	}
	// Is it in a record that was acknowledged and is not home?
	bool is_promised(__u64 sector) const
	{
		for (size_t i = home; i < promised; i++) {
			const __u64 start = jring_dev(&log.sb.geo, live[i].pos);
			if (sector >= start && sector < start + live[i].len)
				return true;
		}
		return false;
	}
	void make_states(const Home &start)
	{
		states.assign(1, start);
		for (const Record &r : live) {
			Home next = states.back();
			for (size_t i = 0; i < r.extents.size(); i++)
				for (__u32 s = 0; s < r.extents[i].len; s++)
					next[r.extents[i].home + s] = r.extents[i].kind != JFMT_DATA ? kZero :
						number(log.at(jpos_add(r.at[i], s)));
			states.push_back(std::move(next));
		}
	}
};

Home fresh_home()
{
	Home home(kHome);

	for (__u32 i = 0; i < kHome; i++)
		home[i] = 1000 + i;
	return home;
}

// 30 extents in two descriptors, few of them with payload.
std::vector<Extent> many()
{
	std::vector<Extent> out;

	for (__u32 i = 0; i < 30; i++)
		out.push_back({i * 3, 1, i % 10 == 4 ? JFMT_DATA : i % 2 ? JFMT_DISCARD : JFMT_ZEROES});
	return out;
}

// Two superblocks, a record of two descriptors, one in flight; across the end of the lap.
Case plain(__u32 unit)
{
	Case c{LogImage({.unit = unit, .record_max = 8 * unit, .area_len = 32 * unit, .first_pos = 24 * unit}), {}, 0, {}};

	c.put_super();
	c.put_super();
	c.live.push_back(c.log.commit({{1, 2}, {50, 1, JFMT_ZEROES}}));
	c.live.push_back(c.log.commit(unit == 1 ? many() : std::vector<Extent>{{2, 1}, {60, 3, JFMT_DISCARD}}));
	c.live.push_back(c.log.commit({{2, 1}}));
	c.live.push_back(c.log.write({{70, 2}}));
	c.acknowledged = 3;
	c.make_states(fresh_home());
	return c;
}

// The same, and a recovery has given up what was in flight, which is still there.
Case given_up()
{
	Case c = plain(1);

	c.log.barrier(c.live[2]);
	c.put_super();
	c.put_super();
	c.live.pop_back();
	c.make_states(fresh_home());
	return c;
}

// One record has followed the barrier.
Case behind_barrier()
{
	Case c = given_up();

	c.live.push_back(c.log.write({{80, 1}}));
	c.make_states(fresh_home());
	return c;
}

// The tail has moved, and the older superblock says so by one record less.
Case checkpointed()
{
	Case c = plain(1);

	c.log.move_tail(c.live[0]);
	c.put_super();
	c.log.move_tail(c.live[1]);
	c.put_super();
	c.live.push_back(c.log.write({{81, 1}}));
	c.make_states(fresh_home());
	c.home = 2;
	c.states.erase(c.states.begin(), c.states.begin() + 2);
	c.acknowledged = 1;
	return c;
}

// A recovery in userspace: superblocks, scan, all payload, home. What it cannot vouch for, it refuses.
class Recovery {
public:
	Recovery(const Case &c, const Home &start) : home(start), bytes_(c.log.bytes)
	{
		static const jscan_ops ops = {read, record, extent};
		static std::vector<__u8> buffer(JSCAN_BUF_MIN * JFMT_SECTOR);
		jsuper_verdict v[2];
		jscan_result result;

		for (int i = 0; i < 2; i++)
			v[i] = jsuper_decode(&bytes_[i * JFMT_SUPER_STRIDE], bytes_.size() / JFMT_SECTOR, &super_[i]);
		chosen_ = jsuper_choose(v, super_);
		if (chosen_ < 0)
			return;
		jscan(&super_[chosen_], &ops, this, buffer.data(), JSCAN_BUF_MIN, super_[chosen_].geo.area_len, &result);
		refused = result.end != JSCAN_END;
	}

	bool refused = true;
	Home home;

private:
	static int read(void *ctx, __u64 sector, void *to, __u32 sectors)
	{
		const std::vector<__u8> &bytes = static_cast<Recovery *>(ctx)->bytes_;

		if ((sector + sectors) * JFMT_SECTOR > bytes.size())
			return -EINVAL;
		memcpy(to, &bytes[sector * JFMT_SECTOR], sectors * JFMT_SECTOR);
		return 0;
	}

	static int record(void *, const jrecord *) { return 0; }

	static int extent(void *ctx, const jrecord *, const jextent *x)
	{
		Recovery *r = static_cast<Recovery *>(ctx);
		const jgeo &g = r->super_[r->chosen_].geo;
		const __u8 *data = &r->bytes_[jring_dev(&g, x->pos) * JFMT_SECTOR];

		if (x->home.v + x->len > kHome)
			return -ERANGE;		// no extent was written there
		if (x->kind == JFMT_DATA && jpayload_crc(jpayload_seed(&g), data, x->len * JFMT_SECTOR) != x->crc)
			return -EBADMSG;
		for (__u32 s = 0; s < x->len; s++)
			r->home[x->home.v + s] = x->kind == JFMT_DATA ? number(data + s * JFMT_SECTOR) : kZero;
		return 0;
	}

	const std::vector<__u8> &bytes_;
	jsuper super_[2];
	int chosen_ = -1;
};

void flip_all(Case c)
{
	const Home &start = c.states[0];
	const Recovery whole(c, start);
	size_t refused = 0, shorter = 0;

	ASSERT_FALSE(whole.refused);
	ASSERT_EQ(whole.home, c.states.back());
	for (__u64 bit = 0; bit < c.log.bytes.size() * 8; bit++) {
		const __u64 sector = bit / 8 / JFMT_SECTOR;
		// between the slots there is nothing
		if (sector >= JFMT_SUPER_SIZE / JFMT_SECTOR && sector < JFMT_SUPER_STRIDE / JFMT_SECTOR)
			continue;
		c.log.flip(bit);
		const Recovery r(c, start);
		c.log.flip(bit);
		if (r.refused) {
			ASSERT_TRUE(c.is_promised(sector)) << "bit " << bit % 4096 << " of sector " << sector;
			refused++;
			continue;
		}
		bool legal = false;
		for (size_t k = c.acknowledged; k < c.states.size(); k++)
			legal |= r.home == c.states[k];
		ASSERT_TRUE(legal) << "bit " << bit % 4096 << " of sector " << sector;
		shorter += r.home != c.states.back();
	}
	EXPECT_GT(refused, 0u);
	EXPECT_EQ(shorter > 0, c.live.size() > c.promised);
	printf("%zu refused, %zu a record shorter\n", refused, shorter);
}

// Catches: payload taken unverified beyond the durable sequence; no link; no damage
// rule; records accepted beyond a hole; crc of header, descriptor or superblock not
// checked; no barrier rule (the branch that was given up).
TEST(Flip, OfALogThatCrossesTheEndOfTheArea) { flip_all(plain(1)); }
TEST(Flip, OfALogWithAUnitOfManySectors) { flip_all(plain(2)); }
TEST(Flip, OfALogWithABranchThatWasGivenUp) { flip_all(given_up()); }
TEST(Flip, OfALogBehindABarrier) { flip_all(behind_barrier()); }
TEST(Flip, OfALogWhoseTailHasMoved) { flip_all(checkpointed()); }

} // namespace
