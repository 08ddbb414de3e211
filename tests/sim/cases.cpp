// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which cases there are: all short sequences, random ones, and the few that are aimed at one rule. A case is text, too.
 *
 * Always true: a number gives the same case on every machine.
 */
#include <algorithm>
#include <sstream>

#include "world.h"

namespace sim {

namespace {

simk_mood random_mood(Random &r)
{
	simk_mood m = {};

	m.preempt = r.of<unsigned char>({0, 20, 60, 120});
	m.early = r.of<unsigned char>({0, 1, 8});
	m.fibers = r.of<unsigned char>({1, 8, 40});
	m.works = r.of<unsigned char>({1, 8, 40});
	m.disks = r.of<unsigned char>({1, 8, 40});
	m.newest = r.of<unsigned char>({0, 0, 100, 200});
	m.beside = r.of<unsigned char>({0, 0, 30, 150});
	return m;
}

machine_opts random_opts(Random &r)
{
	machine_opts o = {};

	o.unit = r.of({1u, 1u, 8u});
	o.record_max = o.unit == 8 ? r.of({24u, 40u, 64u}) : r.of({4u, 6u, 12u, 24u});
	o.area_len = o.record_max * r.of({4u, 5u, 7u, 16u});
	o.home_len = r.of({8u, 16u, 32u, 64u});
	o.log_block = o.unit == 8 ? r.of({512u, 4096u}) : 512;
	o.log_align = r.of({3u, 511u});
	o.discard_max = r.chance(75) ? r.of({1u << 21, 1u << 21, 3u}) : 0;
	o.zeroes_max = r.chance(60) ? r.of({1u << 21, 3u}) : 0;
	o.flush_home = r.chance(15);
	o.staging_mib = 0;
	o.autocommit_ms = r.of({1u, 50u, 1000u});
	o.high = r.of({20u, 50u, 70u, 99u});
	o.low = r.of({0u, o.high / 2});
	o.max_lag_ms = r.of({0u, 20u});
	o.idle_ms = r.of({0u, 5u, 1000u});
	o.inflight_kib = r.of({1u, 2u, 8u, 64u});
	o.depth = r.of({1u, 2u, 32u});
	if (r.chance(40)) {
		o.batch_mib = r.chance(90);
		/* its last member may be the whole home; besides, there is room for that again, or for one record */
		o.batch_payload = static_cast<uint32_t>(o.home_len) + r.of({(o.record_max + 7) & ~7u, static_cast<uint32_t>(o.home_len) + 8});
	}
	/* where numbers change their length, near the end of what the format has, and near the end of a lap */
	o.first_seq = r.of<uint64_t>({0, 0, (1ull << 32) - 4, (1ull << 63) - (40ull << 32)});
	o.first_pos = r.of<uint64_t>({0, 0, (1ull << 32) - 64, (1ull << 61), o.area_len - o.record_max}) / o.unit * o.unit;
	return o;
}

Item random_item(Random &r, const machine_opts &o, bool errors)
{
	uint32_t hot = o.home_len > 8 && r.chance(70) ? 6 : static_cast<uint32_t>(o.home_len);
	uint32_t dice = r.below(100);
	Item i = {Do::write};

	i.join = r.chance(25);
	i.sectors = static_cast<uint16_t>(r.chance(70) ? 1 + r.below(2) : 1 + r.below(hot));
	i.sector = static_cast<uint16_t>(r.below(hot));
	if (i.sector + i.sectors > o.home_len)
		i.sector = static_cast<uint16_t>(o.home_len - i.sectors);
	if (errors && r.chance(4))
		return {Do::fail, o.batch_payload ? r.of<uint16_t>({1, 4, 5, 6, 7, 7, 8}) : r.of<uint16_t>({1, 2, 4, 4, 5, 5}),
			static_cast<uint16_t>(r.below(4) | (r.chance(30) ? 0x100 : 0)), i.join};
	if (dice < 45)
		return i;
	if (dice < 57)
		i.kind = Do::fua;
	else if (dice < 67)
		i.kind = Do::flush;
	else if (dice < 70)
		i.kind = Do::flush_write;
	else if (dice < 72)
		i.kind = Do::flush_fua;
	else if (dice < 76)
		i.kind = Do::discard;
	else if (dice < 80)
		i.kind = Do::zeroes;
	else if (dice < 86)
		i.kind = Do::read;
	else if (dice < 91)
		i.kind = Do::checkpoint;
	else if (dice < 93 && o.batch_payload)
		i = {Do::reload_home, 0, 0, i.join};
	else if (dice < 96)
		i = {Do::sleep, r.of<uint16_t>({1, 10, 300, 1500}), 0, i.join};
	else if (dice < 97)
		i = {Do::suspend, 0, 0, i.join};
	else if (dice < 98)
		i = {Do::noflush, 0, 0, i.join};
	else if (dice < 99)
		i = {Do::reload, 0, 0, i.join};
	return i;
}

/* Openings that chance alone seldom finds. */
void opening(Random &r, const machine_opts &o, Generation &g)
{
	uint16_t home = static_cast<uint16_t>(o.home_len), most = static_cast<uint16_t>(o.record_max - 2 * o.unit);
	uint16_t big = std::min<uint16_t>(home, static_cast<uint16_t>(most + 1 + r.below(2u * most)));

	switch (r.below(5)) {
	case 0:		/* a read of the log that takes longer than a lap */
		g.items.push_back({Do::fail, SLOW_READ, 0, false});
		g.items.push_back({Do::read, 0, 4, false});
		g.items.push_back({Do::sleep, 1, 0, false});
		g.items.push_back({Do::checkpoint});
		for (unsigned i = 0; i < 10; i++)
			g.items.push_back({Do::write, 4, std::min<uint16_t>(static_cast<uint16_t>(home - 4), most), false});
		g.mood.newest = 250;
		g.mood.disks = 40;
		break;
	case 1:		/* records that fill while a FUA write is on its way, then one behind it in a batch of its own */
		g.items.push_back({Do::write, static_cast<uint16_t>(home - big), big, true});
		g.items.push_back({Do::fua, static_cast<uint16_t>(r.below(3)), 1, false});
		g.items.push_back({Do::fua, static_cast<uint16_t>(3 + r.below(3)), 1, true});
		g.items.push_back({Do::checkpoint, 0, 0, true});
		g.mood.preempt = 120;
		break;
	case 2:		/* much that is not durable at once */
		for (unsigned i = 0; i < 12; i++)
			g.items.push_back({Do::write, 0, std::min(home, most), false});
		g.mood.disks = 1;
		break;
	default:
		break;
	}
}

/*
 * Holds, marks and rollbacks, put between what is there; drawn on their own, so that the rest of the case is what it
 * is without them. A rollback ends its generation, and a mark may be from a former one.
 */
void hold_items(uint64_t seed, Case &c, bool rollbacks)
{
	Random r(seed ^ 0x401d);

	c.opts.flush_home &= !rollbacks;
	if (c.opts.flush_home || !r.chance(rollbacks ? 100 : 40))
		return;
	c.opts.full_error = r.chance(60);
	for (size_t g = 0; g < c.gens.size(); g++) {
		std::vector<Item> &items = c.gens[g].items;
		const uint32_t marks = 1 + r.below(3);

		for (uint32_t n = r.below(4); n; n--) {
			Do kind = r.of({Do::mark, Do::mark, Do::mark, Do::hold, Do::release});
			uint16_t mark = static_cast<uint16_t>(kind == Do::release && r.chance(40) ? NO_MARK : r.below(marks));

			items.insert(items.begin() + r.below(static_cast<uint32_t>(items.size() + 1)), {kind, mark, 0, r.chance(30)});
		}
		if (!g)
			items.insert(items.begin() + r.below(static_cast<uint32_t>(items.size() + 1)), {Do::mark, 0, 0, r.chance(30)});
		/* a mark while commits go on behind it */
		if (r.chance(25)) {
			const auto at = items.begin() + r.below(static_cast<uint32_t>(items.size() + 1));
			std::vector<Item> burst(3 + r.below(5), {Do::fua, 0, 1, false});

			burst.push_back({Do::mark, 1, 0, false});
			burst.push_back({Do::fua, 1, 1, false});
			items.insert(at, burst.begin(), burst.end());
		}
		if (r.chance(rollbacks ? 80 : 40))
			items.insert(items.end(), {Do::rollback, static_cast<uint16_t>(r.below(marks)), 0, false});
	}
}

/* It may not fit where the last one ended, so what a crash left there stays. */
void long_first_record(const machine_opts &o, Generation &g)
{
	uint64_t most = std::min<uint64_t>(o.home_len, o.record_max - 2 * o.unit);

	g.items.push_back({Do::write, 0, static_cast<uint16_t>(most), false});
	g.items.push_back({Do::flush, 0, 0, false});
}

/*
 * Several epochs with overwrites. In a later generation perhaps more than the intent device has room for, together with what
 * the one before it left; or batches are given up.
 */
void several_epochs(Random &r, const machine_opts &o, Generation &g, bool later)
{
	uint16_t home = static_cast<uint16_t>(o.home_len);

	if (later && r.chance(40))
		g.items.push_back({Do::reload, 0, 0, false});
	else
		for (uint16_t s = later ? 2 : 0; s < home; s = static_cast<uint16_t>(s + 4))
			g.items.push_back({Do::write, s, 1, s % 16 == 0});
	for (unsigned i = 0; i < 4; i++)
		g.items.push_back({Do::fua, static_cast<uint16_t>(r.below(4)), 1, true});
	g.items.push_back({Do::checkpoint, 0, 0, true});
	g.mood.disks = 8;
}

} /* namespace */

Case random_case(uint64_t seed, bool rollbacks)
{
	Random r(seed);
	bool errors = r.chance(40);
	Case c;

	c.opts = random_opts(r);
	c.tear = c.opts.unit == 8 && r.chance(75) ? 8 : 1;
	c.former = r.chance(25);
	bool laps = r.chance(10);	/* many recoveries near the end of a lap */
	uint32_t gens = laps ? 4 : r.of({1u, 2u, 3u, 4u});
	if (laps)
		c.opts.batch_mib = c.opts.batch_payload = 0;
	for (uint32_t g = 0; g < gens; g++) {
		Generation gen;
		uint32_t items = g + 1 < gens ? 2 + r.below(14) : 4 + r.below(20);

		gen.seed = r.next();
		gen.pick = static_cast<uint32_t>(r.next());
		gen.mood = random_mood(r);
		if (c.opts.batch_mib && r.chance(40))
			several_epochs(r, c.opts, gen, g);
		else if (g && r.chance(laps ? 90 : 40))
			long_first_record(c.opts, gen);
		else
			opening(r, c.opts, gen);
		for (uint32_t i = 0; i < items; i++)
			gen.items.push_back(random_item(r, c.opts, errors));
		c.gens.push_back(gen);
	}
	/* drawn on its own, so that other cases are what they are without it */
	if (c.opts.batch_mib && Random(seed ^ 0x5e1a).chance(25)) {
		c.opts.relaxed = 1;
		c.opts.batch_payload = 0;
	}
	c.opts.stale_limits = !c.opts.batch_payload && Random(seed ^ 0x57a1).chance(8);
	hold_items(seed, c, rollbacks);
	return c;
}

/*----------------------------------------------------------------
 * All sequences of up to four of these
 *--------------------------------------------------------------*/

namespace {

const Item KINDS[] = {
	{Do::write, 0, 1, false}, {Do::write, 1, 2, false}, {Do::fua, 0, 1, false}, {Do::fua, 2, 1, false},
	{Do::flush, 0, 0, false}, {Do::discard, 0, 2, false}, {Do::checkpoint, 0, 0, false}, {Do::write, 2, 1, true},
};
constexpr unsigned NR_KINDS = sizeof(KINDS) / sizeof(KINDS[0]);

} /* namespace */

uint64_t exhaustive_count()
{
	return NR_KINDS + NR_KINDS * NR_KINDS + NR_KINDS * NR_KINDS * NR_KINDS +
	       NR_KINDS * NR_KINDS * NR_KINDS * NR_KINDS;
}

Case exhaustive_case(uint64_t number, uint64_t schedule)
{
	Random r(number * 1000 + schedule);
	unsigned length = 1;
	uint64_t count = NR_KINDS;
	Generation g;
	Case c;

	while (number >= count) {
		number -= count;
		count *= NR_KINDS;
		length++;
	}
	for (unsigned i = 0; i < length; i++, number /= NR_KINDS) {
		Item item = KINDS[number % NR_KINDS];

		item.join |= schedule % 2;
		g.items.push_back(item);
	}
	c.opts.unit = 1;
	c.opts.record_max = 4;
	c.opts.area_len = 16;
	c.opts.home_len = 4;
	c.opts.log_block = 512;
	c.opts.log_align = 3;
	c.opts.discard_max = c.opts.zeroes_max = 1u << 21;
	c.opts.autocommit_ms = 1000;
	c.opts.high = schedule % 4 < 2 ? 70 : 20;
	c.opts.low = 0;
	c.opts.idle_ms = 1000;
	c.opts.inflight_kib = 8;
	c.opts.depth = 4;
	if (schedule % 2) {
		c.opts.batch_mib = 1;
		c.opts.batch_payload = 16;
	}
	g.seed = r.next();
	g.pick = static_cast<uint32_t>(r.next());
	g.mood = random_mood(r);
	c.gens = {g, g};
	c.gens[1].seed = r.next();
	c.gens[1].items.resize(1 + r.below(length));
	c.gens[1].items[0] = KINDS[r.below(4)];
	return c;
}

/*----------------------------------------------------------------
 * Text
 *--------------------------------------------------------------*/

/* Every number of the options, in order. */
template <class F> static void each_option(machine_opts &o, F f)
{
	f(o.home_len); f(o.area_len); f(o.unit); f(o.record_max); f(o.first_seq); f(o.first_pos); f(o.log_block);
	f(o.log_align); f(o.discard_max); f(o.zeroes_max); f(o.flush_home); f(o.staging_mib); f(o.autocommit_ms);
	f(o.high); f(o.low); f(o.max_lag_ms); f(o.idle_ms); f(o.inflight_kib); f(o.depth);
	f(o.batch_mib); f(o.batch_payload);
}

std::string Case::text() const
{
	std::ostringstream out;
	machine_opts o = opts;

	each_option(o, [&](auto &v) { out << v << ','; });
	out << tear << ',' << effort << ',' << former;
	if (opts.full_error || opts.relaxed || opts.stale_limits)
		out << ',' << opts.full_error << ',' << opts.relaxed << ',' << opts.stale_limits;
	for (const Generation &g : gens) {
		out << '/' << g.seed << ',' << g.pick << ',' << unsigned(g.mood.preempt) << ',' << unsigned(g.mood.early) << ','
		    << unsigned(g.mood.fibers) << ',' << unsigned(g.mood.works) << ',' << unsigned(g.mood.disks) << ','
		    << unsigned(g.mood.newest) << ',' << unsigned(g.mood.beside) << ':';
		for (const Item &i : g.items)
			out << (i.join ? "." : "") << static_cast<char>(i.kind) << i.sector << '+' << i.sectors;
	}
	return out.str();
}

bool Case::parse(const std::string &text, Case &out)
{
	std::istringstream in(text);
	char comma;
	unsigned n[7];

	out = Case();
	each_option(out.opts, [&](auto &v) { in >> v >> comma; });
	in >> out.tear >> comma >> out.effort >> comma >> out.former;
	if (in.peek() == ',')
		in >> comma >> out.opts.full_error;
	if (in.peek() == ',')
		in >> comma >> out.opts.relaxed;
	if (in.peek() == ',')
		in >> comma >> out.opts.stale_limits;
	while (in >> comma && comma == '/') {
		Generation g;

		in >> g.seed >> comma >> g.pick;
		for (unsigned &v : n)
			in >> comma >> v;
		auto byte = [](unsigned v) { return static_cast<unsigned char>(v); };
		g.mood = {byte(n[0]), byte(n[1]), byte(n[2]), byte(n[3]), byte(n[4]), byte(n[5]), byte(n[6])};
		in >> comma;
		while (in.peek() != '/' && in.peek() != std::istringstream::traits_type::eof()) {
			Item i = {Do::write};
			char kind;

			in >> kind;
			if (kind == '.') {
				i.join = true;
				in >> kind;
			}
			i.kind = static_cast<Do>(kind);
			if (!(in >> i.sector >> comma >> i.sectors))
				return false;
			g.items.push_back(i);
		}
		out.gens.push_back(g);
	}
	return !out.gens.empty() && out.opts.home_len && out.opts.home_len <= MAX_HOME;
}

} /* namespace sim */
